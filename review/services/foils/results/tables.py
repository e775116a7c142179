"""Results as CSV, streamed: units in the names of columns, and in each row what the numbers come from."""

import math
from collections.abc import Iterable, Iterator, Mapping

from annotate.models import Campaign
from mlcore.formats.names import guard_formula, printable
from review.models import Reckoning
from review.services.foils.results import candidates, test_set
from review.services.foils.results.candidates import Candidate, Wish

CANDIDATE_COLUMNS = (
    "rank", "probability", "probability_low_90", "probability_high_90", "votes", "outcome", "rule", "stratum",
    "subject_uid", "picture_uid", "picture", "picture_sha256", "synthetic", "foil", "x_um", "y_um",
    "nm_per_px", "width_px", "height_px", "score", "callers", "discoverers", "click_x_px", "click_y_px",
    "click_people", "click_spread_px", "expert_result", "expert_method", "expert_at", "crater_diameter_um",
    "reckoning_uid", "reckoning_sha256", "reckoned_at", "reckoning_rule",
)  # fmt: skip
TEST_SET_COLUMNS = (
    "picture_uid", "picture", "picture_sha256", "synthetic", "foil", "x_um", "y_um", "nm_per_px", "score",
    "crater", "crater_x_px", "crater_y_px", "crater_diameter_um", "method", "confirmed_at", "confirmed_by",
    "note",
)  # fmt: skip


def candidates_csv(reckoning: Reckoning | None, wish: Wish) -> Iterator[str]:
    """The list with its ranks; only its head while nothing has been reckoned."""
    rows = candidates.every(reckoning, wish) if reckoning else ()
    return _csv(
        CANDIDATE_COLUMNS,
        (_candidate(rank, row, reckoning) for rank, row in enumerate(rows, 1)),
    )


def test_set_csv(campaign: Campaign) -> Iterator[str]:
    """One row for each confirmed crater."""
    return _csv(TEST_SET_COLUMNS, test_set.rows(campaign))


def _candidate(rank: int, row: Candidate, reckoning: Reckoning) -> dict[str, object]:
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
        "picture_uid": picture.uid,
        "picture": picture.name,
        "picture_sha256": picture.sha256,
        "synthetic": picture.synthetic,
        "foil": picture.foil,
        "x_um": picture.x_um,
        "y_um": picture.y_um,
        "nm_per_px": picture.nm_per_px,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "score": picture.score,
        "callers": len(row.discoverers),
        "discoverers": " ".join(row.discoverers),
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


def _csv(columns: tuple[str, ...], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Lines that end in CRLF (RFC 4180); what a spreadsheet would run as a formula gets an apostrophe."""
    yield ",".join(columns) + "\r\n"
    for row in rows:
        yield ",".join(_cell(row[column]) for column in columns) + "\r\n"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = guard_formula(printable(str(value)))
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',";') else text
