"""Results as CSV, streamed: units in the names of columns, and in each row what the numbers come from."""

from collections.abc import Iterator

from annotate.models import Campaign
from mlcore.formats import csv_lines
from review.models import Confirmation, Picture, Reckoning
from review.services.foils.results import candidates, test_set
from review.services.foils.results.candidates import Candidate, Wish
from review.services.foils.stream import giving

CANDIDATE_COLUMNS = (
    "rank", "probability", "probability_low_90", "probability_high_90", "votes", "outcome", "rule", "stratum",
    "subject_uid", "picture_uid", "picture", "picture_sha256", "synthetic", "foil", "x_um", "y_um",
    "nm_per_px", "width_px", "height_px", "score", "score_raw", "score_source", "callers", "discoverers",
    "click_x_px", "click_y_px", "click_people", "click_spread_px", "expert_result", "expert_method",
    "expert_at", "crater_diameter_um", "reckoning_uid", "reckoning_sha256", "reckoned_at", "reckoning_rule",
)  # fmt: skip
TEST_SET_COLUMNS = (
    "picture_uid", "picture", "picture_sha256", "synthetic", "foil", "x_um", "y_um", "nm_per_px", "score",
    "side", "crater", "crater_x_px", "crater_y_px", "crater_diameter_um", "method", "confirmed_at",
    "confirmed_by", "note",
)  # fmt: skip


def candidates_csv(reckoning: Reckoning | None, wish: Wish) -> Iterator[str]:
    """The list with its ranks; only its head while nothing has been reckoned."""
    rows = candidates.every(reckoning, wish) if reckoning else ()
    source = giving.standing(reckoning.workflow.campaign) if reckoning else None
    said_by = giving.name_of(source) if source else None
    return csv_lines.table(
        CANDIDATE_COLUMNS,
        (_candidate(rank, row, reckoning, said_by) for rank, row in enumerate(rows, 1)),
    )


def test_set_csv(campaign: Campaign) -> Iterator[str]:
    """One row for each confirmed crater, with its picture's side: no network learns from those of "test"."""
    return csv_lines.table(
        TEST_SET_COLUMNS,
        (row for one in test_set.confirmed(campaign).iterator(chunk_size=1000) for row in _craters(one)),
    )


def _candidate(rank: int, row: Candidate, reckoning: Reckoning, said_by: str | None) -> dict[str, object]:
    estimate, subject, picture, expert = row.estimate, row.subject, row.picture, row.confirmation
    place = row.places[0] if row.places else None
    return {
        "rank": rank,
        "probability": estimate.probability,
        "probability_low_90": estimate.low,
        "probability_high_90": estimate.high,
        "votes": estimate.n_votes,
        "outcome": subject.outcome,
        "rule": subject.rule.number if subject.rule else None,
        "stratum": subject.stratum,
        "subject_uid": subject.uid,
        **_picture(picture),
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "score_raw": picture.score_raw,
        "score_source": said_by if picture.score_raw is not None else None,
        "callers": len(row.discoverers),
        "discoverers": "; ".join(row.discoverers),
        "click_x_px": place and round(place.x_px, 2),
        "click_y_px": place and round(place.y_px, 2),
        "click_people": place and place.n_people,
        "click_spread_px": place and round(place.spread_px, 2),
        "expert_result": expert and expert.result,
        "expert_method": expert and expert.method,
        "expert_at": expert and expert.created_at.isoformat(timespec="seconds"),
        "crater_diameter_um": row.diameter_um,
        "reckoning_uid": reckoning.uid,
        "reckoning_sha256": reckoning.sha256,
        "reckoned_at": reckoning.created_at.isoformat(timespec="seconds"),
        "reckoning_rule": reckoning.findings["rule"],
    }


def _craters(one: Confirmation) -> Iterator[dict[str, object]]:
    """One row for each crater of a confirmed picture, with where it lies in it."""
    for number, place in enumerate(one.places, 1):
        yield {
            **_picture(one.subject.picture),
            "side": one.subject.picture.side,
            "crater": number,
            "crater_x_px": place["x_px"],
            "crater_y_px": place["y_px"],
            "crater_diameter_um": place.get("diameter_um"),
            "method": one.method,
            "confirmed_at": one.created_at.isoformat(timespec="seconds"),
            "confirmed_by": str(one.by),
            "note": one.note,
        }


def _picture(picture: Picture) -> dict[str, object]:
    """What both tables say of a picture."""
    return {
        "picture_uid": picture.uid,
        "picture": picture.name,
        "picture_sha256": picture.sha256,
        "synthetic": picture.synthetic,
        "foil": picture.foil,
        "x_um": picture.x_um,
        "y_um": picture.y_um,
        "nm_per_px": picture.nm_per_px,
        "score": picture.score,
    }
