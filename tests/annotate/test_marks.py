"""Drawing, changing, deleting and restoring marks; every state is kept, and nothing is overwritten unseen."""

from math import inf, nan, pi
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models import Campaign, Mark, MarkRevision, User, Visit
from annotate.services import leases, marks
from annotate.services.participants import participant_of
from mlcore.bodies import BODIES
from mlcore.errors import Conflict, InvalidInput
from tests.annotate.builders import draw, join, metres_between, place, take

pytestmark = pytest.mark.django_db


def test_it_works(visit: Visit) -> None:
    mark = draw(visit, 100, 100, 25, uncertain=True, view={"zoom": 3})
    assert (mark.version, mark.uncertain, mark.view) == (1, True, {"zoom": 3})
    assert metres_between(mark, *place(visit.tile.campaign, 100, 100)) < 0.01
    assert mark.geom.srid == 900001
    revision = mark.revisions.get()
    assert (revision.action, revision.by) == ("create", visit.participant)
    assert revision.state["diameter_m"] == 2500


def test_the_same_uid_changes_nothing_and_answers_the_same(visit: Visit) -> None:
    first = draw(visit, 100, 100)
    again = draw(visit, 120, 120, uid=first.uid)
    assert again.pk == first.pk
    assert (again.lon, again.version) == (first.lon, 1)
    assert Mark.objects.count() == MarkRevision.objects.count() == 1


def test_a_uid_of_somebody_else_is_refused_without_saying_whose(visit: Visit, lead: User) -> None:
    mine = draw(visit, 100, 100)
    theirs = take(visit.tile, join(visit.tile.campaign, lead))
    with pytest.raises(Conflict) as refusal:
        draw(theirs, 100, 100, uid=mine.uid)
    assert refusal.value.code == "uid_taken"
    assert refusal.value.current is None


def test_a_change_is_a_new_version(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    lon, lat = place(visit.tile.campaign, 110, 100)
    changed = marks.change(mark=mark, version=1, lon=lon, lat=lat, diameter_m=3000.0)
    assert (changed.version, changed.diameter_m) == (2, 3000.0)
    assert changed.geom.extent != mark.geom.extent
    assert list(mark.revisions.order_by("version").values_list("version", "action")) == [
        (1, "create"),
        (2, "update"),
    ]


def test_a_moved_rim_loses_its_points_unless_given_new_ones(visit: Visit) -> None:
    points = [list(place(visit.tile.campaign, x, y)) for x, y in ((90, 100), (100, 90), (110, 100))]
    mark = draw(visit, 100, 100, rim_points=points)
    assert mark.rim_points == points
    moved = marks.change(mark=mark, version=1, diameter_m=2500.0)
    assert moved.rim_points is None
    back = marks.change(mark=moved, version=2, diameter_m=2000.0, rim_points=points)
    assert back.rim_points == points


def test_an_old_version_gets_the_present_state_and_changes_nothing(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    marks.change(mark=mark, version=1, diameter_m=3000.0)
    with pytest.raises(Conflict) as refusal:
        marks.change(mark=mark, version=1, diameter_m=5000.0)
    assert refusal.value.current["version"] == 2
    assert refusal.value.current["diameter_m"] == 3000.0
    mark.refresh_from_db()
    assert mark.diameter_m == 3000.0


def test_a_request_whose_answer_got_lost_may_be_repeated(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    for _ in range(2):
        assert marks.change(mark=mark, version=1, diameter_m=3000.0).version == 2
    for _ in range(2):
        assert marks.delete(mark=mark, version=2).version == 3
    for _ in range(2):
        assert marks.restore(mark=mark, version=3).version == 4
    assert mark.revisions.count() == 4


def test_delete_and_restore_keep_the_row(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    deleted = marks.delete(mark=mark, version=1)
    assert marks.as_json(deleted)["deleted"] is True
    assert not visit.marks.standing().exists()
    restored = marks.restore(mark=mark, version=2)
    assert marks.as_json(restored)["deleted"] is False
    assert restored.diameter_m == mark.diameter_m
    actions = mark.revisions.order_by("version").values_list("action", flat=True)
    assert list(actions) == ["create", "delete", "restore"]


def test_a_deleted_mark_is_not_changed_nor_a_standing_one_restored(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    with pytest.raises(Conflict):
        marks.restore(mark=mark, version=1)
    marks.delete(mark=mark, version=1)
    with pytest.raises(Conflict) as refusal:
        marks.change(mark=mark, version=2, diameter_m=3000.0)
    assert refusal.value.current["deleted"] is True


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("lon", nan, "bad_lon"),
        ("lon", inf, "bad_lon"),
        ("lon", 500.0, "bad_lon"),
        ("lat", 95.0, "bad_lat"),
        ("lat", nan, "bad_lat"),
        ("diameter_m", 0.0, "bad_diameter"),
        ("diameter_m", -1.0, "bad_diameter"),
        ("diameter_m", inf, "bad_diameter"),
        ("diameter_m", pi * BODIES["moon"].radius_m, "bad_diameter"),
        ("diameter_m", 99.0, "too_small"),
        ("lon", 11.9, "outside_region"),
        ("rim_points", [[10, 5], [10, 5]], "bad_rim"),
        ("rim_points", [[10, 5], [10, 5], [nan, 5]], "bad_rim"),
        ("rim_points", [[10, 5], [10, 5], [10, 91]], "bad_rim"),
    ],
)
def test_what_is_no_crater_here_is_refused(visit: Visit, field: str, value: object, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        draw(visit, 100, 100, **{field: value})
    assert refusal.value.code == code
    assert refusal.value.message[-1] in ".?"
    assert not Mark.objects.exists()


def test_a_bad_change_leaves_the_mark_alone(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    with pytest.raises(InvalidInput):
        marks.change(mark=mark, version=1, lat=95.0)
    mark.refresh_from_db()
    assert mark.version == 1


def test_centres_may_lie_in_the_overlap_but_not_beyond(visit: Visit) -> None:
    draw(visit, -20, 100)
    with pytest.raises(InvalidInput):
        draw(visit, -40, 100)


def test_a_crater_of_another_tile_is_taken(visit: Visit) -> None:
    draw(visit, 500, 500)


def test_longitudes_beyond_180_are_brought_back(visit: Visit) -> None:
    lon, lat = place(visit.tile.campaign, 100, 100)
    assert draw(visit, 0, 0, lon=lon - 360.0, lat=lat).lon == pytest.approx(lon)


def test_a_submitted_visit_is_reopened_first(visit: Visit) -> None:
    mark = draw(visit, 100, 100)
    leases.submit(visit, empty=False)
    for act in (
        lambda: draw(visit, 120, 120),
        lambda: marks.change(mark=mark, version=1, diameter_m=3000.0),
        lambda: marks.delete(mark=mark, version=1),
    ):
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.code == "submitted"
    assert draw(visit, 0, 0, uid=mark.uid).pk == mark.pk
    leases.reopen(visit)
    marks.delete(mark=mark, version=1)


@given(steps=st.lists(st.sampled_from(["grow", "delete", "restore"]), max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_history_always_ends_in_the_present(campaign: Campaign, steps: list[str]) -> None:
    person = participant_of(User.objects.create_user(f"p{uuid4().hex}"))
    mark = draw(take(campaign.tiles.first(), person), 100, 100)
    for step in steps:
        try:
            if step == "grow":
                mark = marks.change(mark=mark, version=mark.version, diameter_m=mark.diameter_m * 1.1)
            else:
                mark = getattr(marks, step)(mark=mark, version=mark.version)
        except Conflict as conflict:
            assert conflict.current["version"] == mark.version
    versions = list(mark.revisions.order_by("version").values_list("version", flat=True))
    assert versions == list(range(1, mark.version + 1))
    assert mark.revisions.latest("version").state == {
        key: value
        for key, value in marks.as_json(mark).items()
        if key not in ("uid", "version", "updated_at")
    }
