"""Who belongs to a campaign and as what, and the trail of how that came about."""

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from annotate.models import AccessChange, Campaign, Membership, Role, User
from mlcore.errors import InvalidInput, NotAllowed


def join(*, campaign: Campaign, user: User) -> Membership:
    """Become an annotator of a public campaign; once a member, always the same answer.

    Raises:
        NotAllowed: The campaign is private.
    """
    if campaign.visibility != Campaign.Visibility.PUBLIC:
        raise NotAllowed(
            _("“%(name)s” is private: one of its leads has to add you.") % {"name": campaign.name}
        )
    return give_role(campaign=campaign, user=user, role=Role.ANNOTATOR, by=user)


def add_member(*, campaign: Campaign, who: str, role: str, by: User | None = None) -> Membership:
    """Give a role to the user of this name or e-mail address.

    Raises:
        InvalidInput: There is no such user or role.
    """
    user = User.objects.filter(Q(username=who) | Q(email__iexact=who), is_active=True).order_by("pk").first()
    if user is None:
        raise InvalidInput(
            _("Nobody is signed up as “%(who)s”. Ask them to sign up, then add them here.") % {"who": who},
            code="unknown_user",
        )
    return give_role(campaign=campaign, user=user, role=role, by=by)


@transaction.atomic
def give_role(*, campaign: Campaign, user: User, role: str, by: User | None = None) -> Membership:
    """Give somebody a role; where it is held already, nothing changes.

    Args:
        campaign: Where.
        user: Who gets it.
        role: A value of Role.
        by: Who gives it; None for a command of the operator's.

    Raises:
        InvalidInput: There is no such role.
    """
    _check_role(role)
    _lock(campaign)
    before = _roles_of(campaign, user)
    membership, is_new = Membership.objects.get_or_create(campaign=campaign, user=user, role=role)
    if is_new:
        _remember(campaign, user, before, by)
    return membership


@transaction.atomic
def remove_member(*, campaign: Campaign, user: User | None, role: str, by: User | None = None) -> None:
    """Take a role away; every mark made in it stays.

    Raises:
        InvalidInput: The user does not hold it, or it is the campaign's last lead.
    """
    _check_role(role)
    _lock(campaign)
    held = Membership.objects.filter(campaign=campaign, role=role)
    if user is None or not held.filter(user=user).exists():
        raise InvalidInput(_("This person does not hold that role here."), code="not_a_member")
    if role == Role.LEAD and held.count() == 1:
        raise InvalidInput(
            _("“%(name)s” would be left without a lead. Make somebody else a lead first.")
            % {"name": campaign.name},
            code="last_lead",
        )
    before = _roles_of(campaign, user)
    held.filter(user=user).delete()
    _remember(campaign, user, before, by)


def changes_in(campaign: Campaign) -> QuerySet[AccessChange]:
    """How roles in the campaign changed, the latest first."""
    return campaign.access_changes.select_related("user", "by").order_by("-pk")


def _lock(campaign: Campaign) -> None:
    """One change at a time per campaign, so that what the trail says was before was before."""
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)


def _roles_of(campaign: Campaign, user: User) -> str:
    held = Membership.objects.filter(campaign=campaign, user=user).values_list("role", flat=True)
    return ", ".join(sorted(held))


def _remember(campaign: Campaign, user: User, before: str, by: User | None) -> None:
    AccessChange.objects.create(
        kind=AccessChange.Kind.ROLES,
        user=user,
        by=by,
        campaign=campaign,
        campaign_name=campaign.name,
        before=before,
        after=_roles_of(campaign, user),
    )


def _check_role(role: str) -> None:
    if role not in Role.values:
        raise InvalidInput(
            _("There is no role “%(role)s”; there are %(roles)s.")
            % {"role": role, "roles": ", ".join(Role.values)},
            code="unknown_role",
        )
