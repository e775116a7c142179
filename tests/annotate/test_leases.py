"""Tiles are handed out under a lease: k places each, nobody twice, nothing stuck, nothing lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Campaign, Participant, User, Visit
from annotate.services import holders, leases
from annotate.services.participants import participant_of
from mlcore.errors import Conflict, NotAllowed, NotFound
from tests.annotate.builders import at_once, draw, join, make_campaign, make_people, search, take


def run_out(visit: Visit) -> Visit:
    Visit.objects.filter(pk=visit.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    visit.refresh_from_db()
    return visit


def next_for(campaign: Campaign, participant: Participant) -> Visit | None:
    return leases.hand_out(campaign=campaign, participant=participant)


@pytest.mark.django_db
class TestHandOut:
    def test_it_works(self, campaign: Campaign, annotator: User) -> None:
        visit = next_for(campaign, participant_of(annotator))
        assert visit.tile.number == 1
        assert visit.state == Visit.State.LEASED
        assert timedelta(minutes=59) < visit.lease_expires_at - timezone.now() <= timedelta(minutes=60)

    def test_asking_again_resumes_the_same_tile(self, campaign: Campaign, annotator: User) -> None:
        first = next_for(campaign, participant_of(annotator))
        assert next_for(campaign, participant_of(annotator)).pk == first.pk

    def test_a_tile_has_as_many_places_as_visits_it_needs(self, campaign: Campaign) -> None:
        numbers = [next_for(campaign, person).tile.number for person in make_people(campaign, 4)]
        assert numbers == [1, 1, 1, 2]

    def test_nobody_gets_a_tile_twice(self, campaign: Campaign, annotator: User) -> None:
        person, seen = participant_of(annotator), []
        while visit := next_for(campaign, person):
            seen.append(visit.tile.number)
            leases.submit(visit, empty=True)
        assert sorted(seen) == [1, 2, 3, 4]
        assert leases.why_nothing(campaign=campaign, participant=person) == "finished"

    def test_tiles_nearest_to_being_settled_come_first(self, campaign: Campaign) -> None:
        one, other = make_people(campaign, 2)
        search(campaign.tiles.get(number=3), one)
        assert next_for(campaign, other).tile.number == 3

    def test_a_lease_that_ran_out_frees_its_place(self) -> None:
        campaign = make_campaign(redundancy=1, columns=1, rows=1)
        slow, quick = make_people(campaign, 2)
        late = run_out(next_for(campaign, slow))
        assert next_for(campaign, quick).tile_id == late.tile_id
        assert next_for(campaign, slow) is None
        late.refresh_from_db()
        assert late.state == Visit.State.RETURNED

    def test_a_lease_that_ran_out_is_renewed_while_its_place_is_free(self, visit: Visit) -> None:
        run_out(visit)
        again = next_for(visit.tile.campaign, visit.participant)
        assert again.pk == visit.pk
        assert again.lease_expires_at > timezone.now()

    def test_waiting_is_not_finished(self) -> None:
        campaign = make_campaign(redundancy=1, columns=1, rows=1)
        one, other = make_people(campaign, 2)
        visit = next_for(campaign, one)
        assert next_for(campaign, other) is None
        assert leases.why_nothing(campaign=campaign, participant=other) == "waiting"
        leases.submit(visit, empty=True)
        assert leases.why_nothing(campaign=campaign, participant=other) == "finished"

    def test_settled_tiles_are_not_handed_out(self, campaign: Campaign, annotator: User) -> None:
        campaign.tiles.filter(number__lt=4).update(settled_at=timezone.now())
        assert next_for(campaign, participant_of(annotator)).tile.number == 4


@pytest.mark.django_db
class TestLeases:
    def test_saving_after_the_lease_ran_out_renews_it(self, visit: Visit) -> None:
        draw(run_out(visit), 100, 100)
        visit.refresh_from_db()
        assert visit.lease_expires_at > timezone.now()

    def test_saving_is_refused_once_others_have_the_places(self) -> None:
        campaign = make_campaign(redundancy=1)
        slow, quick = make_people(campaign, 2)
        late = take(campaign.tiles.first(), slow)
        kept = draw(late, 100, 100)
        run_out(late)
        assert next_for(campaign, quick).tile_id == late.tile_id
        for act in (
            lambda: draw(late, 120, 120),
            lambda: leases.submit(late, empty=False),
            lambda: leases.extend(late),
        ):
            with pytest.raises(Conflict) as refusal:
                act()
            assert refusal.value.code == "lease_lost"
        kept.refresh_from_db()

    def test_working_keeps_the_lease_alive(self, visit: Visit) -> None:
        Visit.objects.filter(pk=visit.pk).update(lease_expires_at=timezone.now() + timedelta(minutes=5))
        draw(visit, 100, 100)
        visit.refresh_from_db()
        assert visit.lease_expires_at > timezone.now() + timedelta(minutes=55)

    def test_a_lease_can_be_extended(self, visit: Visit) -> None:
        Visit.objects.filter(pk=visit.pk).update(lease_expires_at=timezone.now() + timedelta(minutes=1))
        assert leases.extend(visit).lease_expires_at > timezone.now() + timedelta(minutes=59)

    def test_a_tile_given_back_goes_to_others_only(self, visit: Visit) -> None:
        returned = leases.give_back(visit, "bad\nimagery " + "x" * 300)
        assert returned.state == Visit.State.RETURNED
        assert returned.return_reason.startswith("bad imagery x")
        assert len(returned.return_reason) <= 200
        assert next_for(visit.tile.campaign, visit.participant).tile_id != visit.tile_id
        campaign = visit.tile.campaign
        numbers = {next_for(campaign, other).tile.number for other in make_people(campaign, 3)}
        assert visit.tile.number in numbers
        with pytest.raises(Conflict):
            draw(visit, 100, 100)

    def test_what_was_taken_away_comes_again_when_nothing_else_is_left(self) -> None:
        campaign = make_campaign(redundancy=1, columns=2, rows=1)
        slow, quick = make_people(campaign, 2)
        late = next_for(campaign, slow)
        kept = draw(late, 100, 100)
        run_out(late)
        assert next_for(campaign, quick).tile_id == late.tile_id
        assert next_for(campaign, slow).tile.number == 2
        late.refresh_from_db()
        assert (late.state, late.ending) == ("returned", "ran_out")
        leases.give_back(quick.visits.get(), "no time")
        leases.submit(next_for(campaign, slow), empty=True)
        again = next_for(campaign, slow)
        assert (again.pk, again.state, again.ending) == (late.pk, "leased", "")
        assert list(again.marks.all()) == [kept]
        leases.submit(again, empty=False)
        # What quick gave back by their own wish does not come again.
        assert next_for(campaign, quick) is None


@pytest.mark.django_db
class TestRelease:
    def test_it_works(self, visit: Visit, lead: User) -> None:
        campaign, boss = visit.tile.campaign, participant_of(lead)
        mark = draw(visit, 100, 100)
        [held] = holders.held_in(campaign)
        assert (held.pk, held.n_marks, held.is_over) == (visit.pk, 1, False)
        released = holders.release(campaign=campaign, visit=visit, by=boss, reason="on holiday")
        assert (released.state, released.ending, released.released_by) == ("returned", "released", boss)
        assert not holders.held_in(campaign)
        mark.refresh_from_db()
        assert mark.deleted_at is None
        with pytest.raises(Conflict) as refusal:
            draw(visit, 120, 120)
        assert refusal.value.code == "released"
        assert refusal.value.message.startswith("Tile 1 was released by lead (on holiday).")
        assert next_for(campaign, visit.participant).tile.number == 2

    def test_releasing_again_answers_the_same(self, visit: Visit, lead: User) -> None:
        campaign, boss = visit.tile.campaign, participant_of(lead)
        holders.release(campaign=campaign, visit=visit, by=boss, reason="first")
        assert holders.release(campaign=campaign, visit=visit, by=boss).return_reason == "first"

    def test_a_lease_that_ran_out_is_still_listed(self, visit: Visit) -> None:
        run_out(visit)
        assert holders.held_in(visit.tile.campaign).get().is_over

    def test_it_is_refused_for_what_was_submitted_or_is_elsewhere(self, visit: Visit, lead: User) -> None:
        boss = participant_of(lead)
        with pytest.raises(NotFound):
            holders.release(campaign=make_campaign(name="Other"), visit=visit, by=boss)
        with pytest.raises(NotFound):
            holders.release(campaign=visit.tile.campaign, visit=None, by=boss)
        leases.submit(visit, empty=True)
        with pytest.raises(Conflict) as refusal:
            holders.release(campaign=visit.tile.campaign, visit=visit, by=boss)
        assert "has submitted tile 1" in refusal.value.message


@pytest.mark.django_db
class TestSubmit:
    def test_empty_is_data_too(self, visit: Visit) -> None:
        submitted = leases.submit(visit, empty=True)
        assert (submitted.state, submitted.searched_empty) == ("submitted", True)

    def test_empty_is_refused_when_marks_stand(self, visit: Visit) -> None:
        draw(visit, 100, 100)
        with pytest.raises(Conflict) as refusal:
            leases.submit(visit, empty=True)
        assert refusal.value.code == "not_empty"
        assert "1 marks" in refusal.value.message

    def test_a_tile_without_standing_marks_was_searched_empty(self, visit: Visit) -> None:
        assert leases.submit(visit, empty=False).searched_empty is True

    def test_submitting_again_answers_the_same(self, visit: Visit) -> None:
        first = leases.submit(visit, empty=True)
        assert leases.submit(visit, empty=True).submitted_at == first.submitted_at

    def test_reopening_undoes_it_and_lets_the_untouched_next_tile_go(self, visit: Visit) -> None:
        campaign, person = visit.tile.campaign, visit.participant
        leases.submit(visit, empty=True)
        following = next_for(campaign, person)
        reopened = leases.reopen(visit)
        assert (reopened.state, reopened.submitted_at, reopened.searched_empty) == ("leased", None, False)
        assert not Visit.objects.filter(pk=following.pk).exists()
        leases.submit(reopened, empty=True)
        assert next_for(campaign, person).tile_id == following.tile_id

    def test_reopening_keeps_a_next_tile_that_was_begun(self, visit: Visit) -> None:
        campaign, person = visit.tile.campaign, visit.participant
        leases.submit(visit, empty=True)
        following = next_for(campaign, person)
        draw(following, 300, 100)
        leases.reopen(visit)
        assert next_for(campaign, person).pk == visit.pk
        leases.submit(visit, empty=True)
        assert next_for(campaign, person).pk == following.pk

    def test_nothing_is_reopened_once_the_result_is_open_to_all(self) -> None:
        campaign = make_campaign(redundancy=2, columns=1, rows=1)
        one, other = make_people(campaign, 2)
        visit = search(campaign.tiles.get(), one)
        search(campaign.tiles.get(), other)
        campaign.tiles.update(settled_at=timezone.now())
        with pytest.raises(NotAllowed) as refusal:
            leases.reopen(visit)
        assert refusal.value.code == "finished"


@pytest.mark.django_db(transaction=True)
class TestCrowd:
    def test_never_more_than_k_hold_a_tile(self) -> None:
        campaign = make_campaign(redundancy=2)
        people = make_people(campaign, 12)
        assert at_once([lambda p=p: next_for(campaign, p) for p in people]) == []
        held = [tile.visits.holding().count() for tile in campaign.tiles.all()]
        assert held == [2, 2, 2, 2]

    def test_the_last_places_are_found_although_tiles_are_locked(self) -> None:
        campaign = make_campaign(redundancy=5, columns=1, rows=1)
        assert at_once([lambda p=p: next_for(campaign, p) for p in make_people(campaign, 5)]) == []
        assert campaign.tiles.get().visits.holding().count() == 5

    def test_a_double_click_leases_one_tile(self) -> None:
        campaign = make_campaign()
        (person,) = make_people(campaign, 1)
        assert at_once([lambda: next_for(campaign, person)] * 4) == []
        assert Visit.objects.count() == 1

    def test_working_on_through_the_crowd(self) -> None:
        campaign = make_campaign(redundancy=2)
        people = make_people(campaign, 5)

        def work(person: Participant) -> None:
            while visit := next_for(campaign, person):
                x, y = visit.tile.x_px + 50, visit.tile.y_px + 50
                draw(visit, x, y)
                leases.submit(visit, empty=False)

        assert at_once([lambda p=p: work(p) for p in people]) == []
        assert [tile.visits.submitted().count() for tile in campaign.tiles.all()] == [2, 2, 2, 2]


@pytest.mark.django_db
def test_roles_do_not_matter_to_leases(campaign: Campaign, reviewer: User) -> None:
    assert next_for(campaign, join(campaign, reviewer, "reviewer")).tile.number == 1
