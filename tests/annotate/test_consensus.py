"""Marks of a tile's visits become features; the same marks always become the same ones."""

import random
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models import Campaign, Catalogue, Feature, Mark, Participant, Skill, Tile, User, Visit
from annotate.services import consensus, leases
from annotate.services.participants import participant_of
from mlcore.errors import NotAllowed
from tests.annotate.builders import (
    PIXEL_M,
    at_once,
    make_campaign,
    make_people,
    metres_between,
    place,
    search,
)

pytestmark = pytest.mark.django_db


def snapshot(campaign: Campaign) -> list[tuple[object, ...]]:
    """Everything that is published of the consensus."""
    features = consensus.consensus_of(campaign).features.order_by("uid")
    return [
        (
            f.uid,
            f.tile_id,
            f.lon,
            f.lat,
            f.diameter_m,
            f.score,
            f.status,
            f.center_sd_m,
            f.diameter_sd_m,
            f.n_marks,
            f.n_visits,
            f.geom.wkt,
            tuple(sorted(str(uid) for uid in f.marks.values_list("uid", flat=True))),
        )
        for f in features
    ]


def search_by(tile: Tile, people: list[Participant], *circles: tuple[float, float, float]) -> None:
    """Everybody marks every circle, each a little differently."""
    for k, person in enumerate(people):
        search(tile, person, [(x + k, y - k, d + k) for x, y, d in circles])


class TestSettling:
    def test_it_works(self, campaign: Campaign) -> None:
        tile, people = campaign.tiles.first(), make_people(campaign, 3)
        search(tile, people[0], [(100, 100, 30), (200, 200, 40)])
        search(tile, people[1], [(101, 100, 31), (201, 200, 41)])
        search(tile, people[2], [(99, 101, 29), (60, 180, 20)])
        consensus.settle_tile(tile)
        tile.refresh_from_db()
        assert tile.settled_at is not None
        catalogue = campaign.catalogues.get()
        assert (catalogue.origin, catalogue.name) == (Catalogue.Origin.CONSENSUS, "Trial consensus")
        sure, likely, doubtful = catalogue.features.order_by("-score")
        assert sure.marks.count() == sure.n_marks == sure.n_visits == 3
        assert metres_between(sure, *place(campaign, 100, 100)) < 2 * PIXEL_M
        assert sure.diameter_m == pytest.approx(30 * PIXEL_M, rel=0.05)
        assert sure.center_sd_m > 0
        assert sure.score > likely.score > doubtful.score
        assert (sure.status, doubtful.status) == ("confirmed", "candidate")
        assert (likely.n_marks, doubtful.n_marks) == (2, 1)

    def test_a_tile_without_its_visits_is_not_settled(self, campaign: Campaign) -> None:
        tile = campaign.tiles.first()
        search_by(tile, make_people(campaign, 2), (100, 100, 30))
        consensus.settle_tile(tile)
        tile.refresh_from_db()
        assert tile.settled_at is None
        assert not Feature.objects.exists()

    def test_a_tile_searched_empty_settles_to_nothing(self, campaign: Campaign) -> None:
        tile = campaign.tiles.first()
        search_by(tile, make_people(campaign, 3))
        consensus.settle_tile(tile)
        tile.refresh_from_db()
        assert tile.settled_at is not None
        assert not Feature.objects.exists()

    def test_deleted_marks_and_returned_visits_do_not_count(self, campaign: Campaign) -> None:
        tile, people = campaign.tiles.first(), make_people(campaign, 4)
        search_by(tile, people[:3], (100, 100, 30))
        Mark.objects.filter(visit__participant=people[0]).update(deleted_at="2026-01-01T00:00:00Z")
        consensus.settle_tile(tile)
        assert Feature.objects.get().n_marks == 2

    def test_only_centres_in_the_core_count(self, campaign: Campaign) -> None:
        tile = campaign.tiles.first()
        search_by(tile, make_people(campaign, 3), (100, 100, 30), (270, 100, 30))
        consensus.settle_tile(tile)
        assert metres_between(Feature.objects.get(), *place(campaign, 101, 99)) < 3 * PIXEL_M

    def test_two_marks_of_one_person_are_one_voice(self, campaign: Campaign) -> None:
        tile, people = campaign.tiles.first(), make_people(campaign, 3)
        search(tile, people[0], [(100, 100, 30), (101, 100, 30), (100, 101, 30)])
        for person in people[1:]:
            search(tile, person)
        consensus.settle_tile(tile)
        assert {feature.status for feature in Feature.objects.all()} == {"candidate"}

    def test_settling_again_changes_nothing(self, campaign: Campaign) -> None:
        tile = campaign.tiles.first()
        search_by(tile, make_people(campaign, 3), (100, 100, 30), (200, 150, 50))
        consensus.settle_tile(tile)
        before, pks = snapshot(campaign), set(Feature.objects.values_list("pk", flat=True))
        consensus.settle_tile(tile)
        assert snapshot(campaign) == before
        assert set(Feature.objects.values_list("pk", flat=True)) == pks

    def test_unsettling_restores_everything(self, campaign: Campaign) -> None:
        first, second = campaign.tiles.filter(number__lte=2)
        people = make_people(campaign, 3)
        search_by(first, people, (100, 100, 30), (254, 60, 40))
        search_by(second, people, (300, 100, 30), (255, 60, 40))
        consensus.settle_tile(second)
        before, skills = snapshot(campaign), list(Skill.objects.order_by("pk").values("n_found", "n_missed"))
        consensus.settle_tile(first)
        after = snapshot(campaign)
        assert len(after) > len(before)
        consensus.unsettle_tile(first)
        first.refresh_from_db()
        assert first.settled_at is None
        assert snapshot(campaign) == before
        assert list(Skill.objects.order_by("pk").values("n_found", "n_missed")) == skills
        consensus.settle_tile(first)
        assert snapshot(campaign) == after

    def test_reopening_a_visit_unsettles_its_tile(self, campaign: Campaign) -> None:
        tile, people = campaign.tiles.first(), make_people(campaign, 3)
        search_by(tile, people, (100, 100, 30))
        consensus.settle_tile(tile)
        leases.reopen(tile.visits.get(participant=people[0]))
        tile.refresh_from_db()
        assert tile.settled_at is None
        assert not Feature.objects.exists()
        leases.submit(tile.visits.get(participant=people[0]), empty=False)
        consensus.settle_tile(tile)
        assert Feature.objects.count() == 1

    def test_tiles_whose_task_was_lost_are_found(self, campaign: Campaign) -> None:
        for tile in campaign.tiles.filter(number__lte=2):
            search_by(tile, make_people(campaign, 3 if tile.number == 1 else 2))
        consensus.settle_due_tiles()
        assert [tile.number for tile in campaign.tiles.settled()] == [1]
        Campaign.objects.update(redundancy=2)
        consensus.settle_due_tiles()
        assert [tile.number for tile in campaign.tiles.settled()] == [1, 2]

    def test_a_tile_that_cannot_be_settled_does_not_keep_the_others_from_it(
        self, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        for tile in campaign.tiles.filter(number__lte=2):
            search_by(tile, make_people(campaign, 3))
        real = consensus.settle_tile

        def settle(tile: Tile) -> None:
            if tile.number == 1:
                raise ValueError("a circle without a radius")
            real(tile)

        monkeypatch.setattr(consensus, "settle_tile", settle)
        consensus.settle_due_tiles()
        assert [tile.number for tile in campaign.tiles.settled()] == [2]
        assert "a circle without a radius" in caplog.text

    def test_two_campaigns_of_one_name_have_their_own_catalogues(self, campaign: Campaign) -> None:
        other = make_campaign()
        assert consensus.consensus_of(campaign) != consensus.consensus_of(other)
        assert consensus.consensus_of(campaign) == consensus.consensus_of(campaign)


class TestSeams:
    """A crater on the border of tiles is one tile's, whoever sees its centre where."""

    @pytest.mark.parametrize(("from_left", "from_right"), [(255, 257), (257, 255), (254, 255), (257, 258)])
    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_neither_doubled_nor_lost(
        self, campaign: Campaign, from_left: float, from_right: float, order: tuple[int, int]
    ) -> None:
        left, right = (campaign.tiles.get(number=number) for number in (1, 2))
        for person in make_people(campaign, 3):
            search(left, person, [(from_left, 100, 40)])
        for person in make_people(campaign, 3):
            search(right, person, [(from_right, 100, 40)])
        for number in order:
            consensus.settle_tile(campaign.tiles.get(number=number))
        assert Feature.objects.count() == 1

    def test_what_only_the_neighbours_people_see_in_this_core_does_not_count(
        self, campaign: Campaign
    ) -> None:
        left, right = (campaign.tiles.get(number=number) for number in (1, 2))
        search_by(left, make_people(campaign, 3), (270, 100, 40))
        search_by(right, make_people(campaign, 3))
        for tile in (left, right):
            consensus.settle_tile(tile)
        assert not Feature.objects.exists()

    def test_different_craters_side_by_side_both_stay(self, campaign: Campaign) -> None:
        left, right = (campaign.tiles.get(number=number) for number in (1, 2))
        search_by(left, make_people(campaign, 3), (240, 100, 20))
        search_by(right, make_people(campaign, 3), (270, 100, 20))
        for tile in (left, right):
            consensus.settle_tile(tile)
        assert Feature.objects.count() == 2


class TestSkill:
    def test_counts_are_of_what_was_found_missed_and_marked_alone(self, campaign: Campaign) -> None:
        tile, (one, two, three) = campaign.tiles.first(), make_people(campaign, 3)
        search(tile, one, [(100, 100, 30), (200, 200, 40)])
        search(tile, two, [(100, 101, 30), (201, 200, 41)])
        search(tile, three, [(99, 100, 30), (60, 180, 20)])
        consensus.settle_tile(tile)
        counts = {s.participant: (s.n_found, s.n_missed, s.n_alone) for s in Skill.objects.all()}
        assert counts == {one: (2, 0, 0), two: (2, 0, 0), three: (1, 1, 1)}

    def test_they_are_counted_from_scratch(self, campaign: Campaign) -> None:
        tile, people = campaign.tiles.first(), make_people(campaign, 3)
        search_by(tile, people, (100, 100, 30))
        for _ in range(2):
            consensus.settle_tile(tile)
        assert set(Skill.objects.values_list("n_found", "n_missed")) == {(1, 0)}
        consensus.unsettle_tile(tile)
        assert set(Skill.objects.values_list("n_found", "n_missed")) == {(0, 0)}


circles = st.lists(
    st.tuples(st.integers(20, 235), st.integers(20, 235), st.integers(10, 60)), min_size=1, max_size=4
)


@given(drawn=st.lists(circles, min_size=3, max_size=3), seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_marks_and_people_never_matters(
    campaign: Campaign, drawn: list[list[tuple[float, float, float]]], seed: int
) -> None:
    people = [participant_of(User.objects.create_user(f"p{uuid4().hex}")) for _ in drawn]
    values = []
    for shuffled in (False, True):
        other = make_campaign()
        work = list(zip(people, drawn, strict=True))
        if shuffled:
            random.Random(seed).shuffle(work)
            work = [(person, random.Random(seed).sample(marks, len(marks))) for person, marks in work]
        tile = other.tiles.first()
        for person, marks in work:
            search(tile, person, marks)
        consensus.settle_tile(tile)
        features = consensus.consensus_of(other).features
        values.append(
            sorted(
                features.values_list(
                    "lon", "lat", "diameter_m", "score", "center_sd_m", "diameter_sd_m", "n_marks"
                ),
                key=str,
            )
        )
    assert values[0] == values[1]


@pytest.mark.django_db(transaction=True)
def test_settling_and_reopening_at_once_ends_as_if_one_by_one() -> None:
    campaign = make_campaign(redundancy=2)
    people = make_people(campaign, 2)
    for tile in campaign.tiles.all():
        x, y = tile.x_px, tile.y_px
        search_by(tile, people, (x + 100, y + 100, 30), (x + 254, y + 254, 40), (x + 2, y + 2, 40))
    visits = [tile.visits.first() for tile in campaign.tiles.all()]

    def undo_and_redo(visit: Visit) -> None:
        leases.submit(leases.reopen(visit), empty=False)
        consensus.settle_tile(visit.tile)

    tiles = list(campaign.tiles.all())
    work = [lambda t=t: consensus.settle_tile(t) for t in tiles] + [
        lambda v=v: undo_and_redo(v) for v in visits
    ]
    errors = [error for error in at_once(work) if not isinstance(error, NotAllowed)]
    assert errors == []
    for tile in tiles:
        consensus.settle_tile(tile)
    together = snapshot(campaign)
    for tile in campaign.tiles.all():
        consensus.unsettle_tile(tile)
    assert snapshot(campaign) == []
    for tile in reversed(tiles):
        consensus.settle_tile(tile)
    assert snapshot(campaign) == together
    # Tiles 1 and 4 both hold the crater on the corner where all four meet.
    assert len(together) == 11
