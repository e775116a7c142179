"""What somebody does next in a campaign: the one primary button of its page."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.access import DRAWERS, MEMBERS
from annotate.models import Campaign, Role, User
from annotate.services.overview import work_in
from annotate.services.participants import participant_of


@dataclass(frozen=True)
class Step:
    """A sentence about where one is, a reason, and a button; without a URL there is nothing to do."""

    title: str
    why: str = ""
    label: str = ""
    url: str = ""
    is_post: bool = False
    # Something of theirs is half done: it comes before what is new.
    is_begun: bool = False


def next_step(
    user: User, roles: frozenset[str], campaign: Campaign, *, proposals_waiting: int | None = None
) -> Step:
    """What the user, who has these roles in the campaign, does next in it.

    Review knows how many proposals wait for this person; where nobody said, it is enough that there are some.
    """
    if not user.is_authenticated:
        here = reverse("annotate:campaign", args=[campaign.uid])
        return Step(
            _("Take part"),
            _("Anyone who is signed in may draw here."),
            _("Sign in"),
            f"{reverse('account_login')}?next={here}",
        )
    if not roles & MEMBERS:
        return Step(
            _("Take part"),
            _("You are handed one tile at a time and draw the craters that you see."),
            _("Join as annotator"),
            reverse("annotate:campaign_join", args=[campaign.uid]),
            is_post=True,
        )
    if roles & DRAWERS and (step := _drawing(user, campaign)):
        return step
    return _judging(roles, campaign, proposals_waiting) or Step(
        _("Nothing to do now"),
        _("You have searched every tile that is open to you. What others still search settles by itself.")
        if roles & DRAWERS
        else _("You may read along; drawing and judging are for other roles."),
    )


def _drawing(user: User, campaign: Campaign) -> Step | None:
    work = work_in(campaign, participant_of(user))
    url = reverse("annotate:label", args=[campaign.uid])
    if work.tile_in_hand is not None:
        return Step(
            _("Tile %(number)d is in your hands") % {"number": work.tile_in_hand},
            _("All that you have drawn on it is saved."),
            _("Continue"),
            url,
            is_begun=True,
        )
    if work.tiles_left:
        why = ngettext("%(n)d tile is open to you.", "%(n)d tiles are open to you.", work.tiles_left) % {
            "n": work.tiles_left
        }
        if work.submitted:
            title = ngettext(
                "You have searched %(n)d tile", "You have searched %(n)d tiles", work.submitted
            ) % {"n": work.submitted}
            return Step(title, why, _("Label the next tile"), url)
        return Step(_("Your first tile is waiting"), why, _("Label a tile"), url)
    return None


def _judging(roles: frozenset[str], campaign: Campaign, waiting: int | None) -> Step | None:
    """Steps on review's pages, which annotate knows by name only."""
    may_judge = bool(roles & DRAWERS)
    if (
        may_judge
        and campaign.proposals_id
        and waiting != 0
        and (url := url_or_none("review:review", campaign))
    ):
        title = _("A model has proposed craters")
        if waiting:
            title = ngettext("%(n)d proposal waits for you", "%(n)d proposals wait for you", waiting) % {
                "n": waiting
            }
        return Step(
            title,
            _("Your verdicts correct the catalogue and teach the next model."),
            _("Review them"),
            url,
        )
    if Role.LEAD in roles and (url := url_or_none("review:models", campaign)):
        return Step(
            _("Teach a model"),
            _("From the settled craters a model learns to propose the ones still missing."),
            _("Train a model"),
            url,
        )
    return None


def url_or_none(name: str, campaign: Campaign) -> str | None:
    """The URL of a campaign's page in another app, if that app has it."""
    try:
        return reverse(name, args=[campaign.uid])
    except NoReverseMatch:
        return None
