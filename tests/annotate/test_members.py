"""Who belongs to a campaign, and the trail of how that came about."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from annotate.models import AccessChange, Campaign, Membership, Role, User
from annotate.services import members
from mlcore.errors import InvalidInput, NotAllowed

pytestmark = pytest.mark.django_db
Kind = AccessChange.Kind


class TestMembers:
    def test_joining_a_public_campaign(self, campaign: Campaign, stranger: User) -> None:
        for _ in range(2):
            members.join(campaign=campaign, user=stranger)
        assert Membership.objects.get(user=stranger).role == Role.ANNOTATOR

    def test_a_private_one_is_not_joined(self, campaign: Campaign, stranger: User) -> None:
        campaign.visibility = "private"
        with pytest.raises(NotAllowed):
            members.join(campaign=campaign, user=stranger)

    def test_adding_by_name_or_address_and_removing(self, campaign: Campaign, stranger: User) -> None:
        members.add_member(campaign=campaign, who="stranger", role="reviewer")
        members.add_member(campaign=campaign, who="STRANGER@example.org", role="panelist")
        assert Membership.objects.filter(user=stranger).count() == 2
        members.remove_member(campaign=campaign, user=stranger, role="reviewer")
        assert Membership.objects.get(user=stranger).role == "panelist"

    @pytest.mark.parametrize(("who", "role"), [("nobody", "reader"), ("stranger", "king")])
    def test_unknown_people_and_roles_are_refused(
        self, campaign: Campaign, stranger: User, who: str, role: str
    ) -> None:
        with pytest.raises(InvalidInput):
            members.add_member(campaign=campaign, who=who, role=role)

    def test_the_last_lead_stays(self, campaign: Campaign, lead: User, stranger: User) -> None:
        with pytest.raises(InvalidInput) as refusal:
            members.remove_member(campaign=campaign, user=lead, role="lead")
        assert refusal.value.code == "last_lead"
        members.add_member(campaign=campaign, who="stranger", role="lead")
        members.remove_member(campaign=campaign, user=lead, role="lead")

    def test_what_nobody_holds_is_not_taken_away(self, campaign: Campaign, stranger: User) -> None:
        for user in (stranger, None):
            with pytest.raises(InvalidInput):
                members.remove_member(campaign=campaign, user=user, role="reader")


def trail(campaign: Campaign) -> list[tuple[str, str, str, str]]:
    """(whom, from, to, by) since the campaign began, the latest first."""
    return [
        (str(change.user), change.before, change.after, str(change.by))
        for change in members.changes_in(campaign)
    ]


class TestTrail:
    def test_it_works(self, campaign: Campaign, lead: User, stranger: User) -> None:
        members.add_member(campaign=campaign, who="stranger", role="reader", by=lead)
        members.join(campaign=campaign, user=stranger)
        members.remove_member(campaign=campaign, user=stranger, role="reader", by=lead)
        assert trail(campaign) == [
            ("stranger", "annotator, reader", "annotator", "lead"),
            ("stranger", "reader", "annotator, reader", "stranger"),
            ("stranger", "", "reader", "lead"),
        ]

    def test_what_changes_nothing_leaves_no_trace(self, campaign: Campaign, stranger: User) -> None:
        for _ in range(3):
            members.join(campaign=campaign, user=stranger)
        with pytest.raises(InvalidInput):
            members.remove_member(campaign=campaign, user=stranger, role="lead")
        assert len(trail(campaign)) == 1

    def test_the_database_refuses_to_alter_or_delete_it(self, campaign: Campaign, stranger: User) -> None:
        members.join(campaign=campaign, user=stranger)
        rows = AccessChange.objects.filter(campaign=campaign)
        for wrong in (
            lambda: rows.update(after="lead"),
            lambda: rows.update(user=User.objects.create_user("scapegoat")),
            lambda: rows.delete(),
        ):
            with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
                wrong()
        assert trail(campaign) == [("stranger", "", "annotator", "stranger")]

    def test_whoever_leaves_takes_their_name_along(self, campaign: Campaign, stranger: User) -> None:
        members.join(campaign=campaign, user=stranger)
        stranger.delete()
        assert trail(campaign) == [("None", "", "annotator", "None")]

    def test_leads_read_it_beside_the_people(
        self, campaign: Campaign, lead: User, client_of: Callable[[User | None], Client], stranger: User
    ) -> None:
        page = reverse("annotate:campaign_members", args=[campaign.uid])
        desk = client_of(lead)
        desk.post(page, {"who": "stranger", "role": "reviewer"})
        desk.post(page, {"remove": stranger.uid, "role": "reviewer"})
        text = desk.get(page).content.decode()
        assert "How roles changed" in text
        assert trail(campaign) == [("stranger", "reviewer", "", "lead"), ("stranger", "", "reviewer", "lead")]


class TestAdministration:
    @pytest.fixture
    def desk(self, client_of: Callable[[User | None], Client], staff: User) -> Client:
        return client_of(staff)

    def form(self, campaign: Campaign, **extra: object) -> dict[str, object]:
        held = list(campaign.memberships.order_by("pk"))
        form: dict[str, object] = {
            "name": campaign.name,
            "visibility": campaign.visibility,
            "instructions": "",
            "memberships-TOTAL_FORMS": len(held) + 1,
            "memberships-INITIAL_FORMS": len(held),
            "layers-TOTAL_FORMS": 0,
            "layers-INITIAL_FORMS": 0,
        }
        for number, membership in enumerate(held):
            form[f"memberships-{number}-id"] = membership.pk
            form[f"memberships-{number}-campaign"] = campaign.pk
        return form | extra

    def test_roles_given_and_taken_there_are_on_the_trail(
        self, desk: Client, campaign: Campaign, stranger: User
    ) -> None:
        there = reverse("admin:annotate_campaign_change", args=[campaign.pk])
        number = campaign.memberships.count()
        given = {f"memberships-{number}-user": stranger.pk, f"memberships-{number}-role": "reader"}
        assert desk.post(there, self.form(campaign, **given)).status_code == 302
        taken = {f"memberships-{number}-DELETE": "on"}
        assert desk.post(there, self.form(campaign, **taken)).status_code == 302
        assert trail(campaign)[:2] == [
            ("stranger", "reader", "", "staff"),
            ("stranger", "", "reader", "staff"),
        ]

    def test_the_last_lead_stays_there_too(self, desk: Client, campaign: Campaign) -> None:
        there = reverse("admin:annotate_campaign_change", args=[campaign.pk])
        held = list(campaign.memberships.order_by("pk"))
        number = next(k for k, membership in enumerate(held) if membership.role == Role.LEAD)
        response = desk.post(there, self.form(campaign, **{f"memberships-{number}-DELETE": "on"}))
        assert response.status_code == 400
        assert "would be left without a lead" in response.content.decode()
        assert campaign.memberships.filter(role=Role.LEAD).count() == 1

    def test_rights_over_the_site_are_on_the_trail(self, desk: Client, staff: User, stranger: User) -> None:
        there = reverse("admin:annotate_user_change", args=[stranger.pk])
        fields = {"username": "stranger", "email": stranger.email, "date_joined_0": "2026-01-01"}
        fields |= {"date_joined_1": "00:00:00"}
        assert desk.post(there, {**fields, "is_active": "on", "is_staff": "on"}).status_code == 302
        assert desk.post(there, fields).status_code == 302
        found = list(AccessChange.objects.filter(user=stranger).values_list("kind", "before", "after", "by"))
        assert sorted(found) == sorted(
            [
                (Kind.STAFF, "no", "yes", staff.pk),
                (Kind.STAFF, "yes", "no", staff.pk),
                (Kind.ACTIVE, "yes", "no", staff.pk),
            ]
        )

    def test_a_password_set_there_is_on_the_trail(self, desk: Client, staff: User, stranger: User) -> None:
        there = reverse("admin:auth_user_password_change", args=[stranger.pk])
        assert desk.post(there, {"password1": "short", "password2": "other"}).status_code == 200
        assert not AccessChange.objects.filter(user=stranger).exists()
        new = "a fresh long password"
        fields = {"password1": new, "password2": new, "usable_password": "true"}
        assert desk.post(there, fields).status_code == 302
        [change] = AccessChange.objects.filter(user=stranger)
        assert (change.kind, change.by) == (Kind.PASSWORD, staff)

    def test_the_trail_is_read_there_and_never_written(
        self, desk: Client, campaign: Campaign, stranger: User
    ) -> None:
        members.join(campaign=campaign, user=stranger)
        change = AccessChange.objects.get(campaign=campaign)
        assert "stranger" in desk.get(reverse("admin:annotate_accesschange_changelist")).content.decode()
        there = reverse("admin:annotate_accesschange_change", args=[change.pk])
        assert desk.get(there).status_code == 200
        assert desk.post(there, {"after": "lead"}).status_code == 403
        assert desk.post(reverse("admin:annotate_accesschange_delete", args=[change.pk])).status_code == 403
        assert desk.get(reverse("admin:annotate_accesschange_add")).status_code == 403
