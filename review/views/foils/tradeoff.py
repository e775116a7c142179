"""Thresholds as the stream page draws and words them: once for each step of its slider.

The page's script only puts these texts and places where they belong, so a browser without it shows the same
for the threshold that stands or is previewed.
"""

from dataclasses import asdict, dataclass
from math import log10, sqrt

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.templatetags.planet import whole
from review.services.foils.stream.known_scores import Share
from review.services.foils.stream.tradeoff import GRID, Pace, Point, Suggestion, Tradeoff

# The plot's inside, in its own units. Across: craters lost, on a scale of roots; up: pictures removed, on a
# scale of what is left, so that nine tenths and ninety-nine hundredths are seen apart.
WIDTH, HEIGHT = 420.0, 250.0
LEAST_LEFT = 0.001
_LOST_TICKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
_REMOVED_TICKS = (0.0, 0.5, 0.9, 0.99, 0.999)
# No line ends between a number and its sign.
_PERCENT = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Dot:
    """Where a group of known craters is at one threshold: its middle, and the ends of its interval."""

    x: float
    y: float
    left: float
    right: float


@dataclass(frozen=True)
class Step:
    """One step of the slider: what stands in which place of the page, and where the dots are."""

    threshold: str
    texts: dict[str, str]
    dots: list[Dot]


@dataclass(frozen=True)
class Line:
    """A group of known craters over all thresholds."""

    name: str
    path: str


@dataclass(frozen=True)
class Row:
    """A group of known pictures in the table; its texts are under `key`, the one to begin with is `text`."""

    key: str
    origin: str
    caveat: str
    is_crater: bool
    text: str


@dataclass(frozen=True)
class Tick:
    """A line of the grid with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Shown:
    """All that the page shows of thresholds, and the step that it begins with."""

    steps: list[Step]
    at: int
    lines: list[Line]
    rows: list[Row]
    across: list[Tick]
    upwards: list[Tick]
    suggestions: list[tuple[str, str]]
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def step(self) -> Step:
        return self.steps[self.at]

    @property
    def craters(self) -> list[Row]:
        return [row for row in self.rows if row.is_crater]

    @property
    def blanks(self) -> list[Row]:
        return [row for row in self.rows if not row.is_crater]

    def to_json(self) -> dict[str, object]:
        """For the page's script."""
        return {"steps": [asdict(step) for step in self.steps], "at": self.at}


def shown(found: Tradeoff | None, threshold: float | None) -> Shown | None:
    """As the page shows it, beginning with a threshold; with the lowest where people see all."""
    if found is None:
        return None
    craters = [at for at, group in enumerate(found.groups) if group.is_crater]
    dots = [[_dot(point.known[at], point) for at in craters] for point in found.points]
    lines = [
        Line(found.groups[at].origin, "M" + "L".join(f"{row[n].x} {row[n].y}" for row in dots))
        for n, at in enumerate(craters)
    ]
    begin = found.at(threshold if threshold else GRID[0])
    return Shown(
        steps=[
            Step(_number(point.threshold), _texts(found, point), row)
            for point, row in zip(found.points, dots, strict=True)
        ],
        at=found.points.index(begin),
        lines=lines,
        rows=[
            Row(f"known-{at}", group.origin, group.caveat, group.is_crater, _known(begin.known[at]))
            for at, group in enumerate(found.groups)
        ],
        across=[Tick(_x(share), percent(share)) for share in _LOST_TICKS],
        upwards=[Tick(_y(share), percent(share)) for share in _REMOVED_TICKS],
        suggestions=[_suggestion(one) for one in found.suggestions],
    )


def percent(share: float) -> str:
    """A share in percent, with as many digits as tell it from all and from nothing: 3 %, 99.97 %."""
    distance = min(share, 1.0 - share) * 100
    if distance == 0:
        return f"{share * 100:.0f}{_PERCENT}"
    digits = 0 if distance >= 10 else 1 if distance >= 0.1 else 2
    words = f"{share * 100:.{digits}f}"
    if float(words) in (0.0, 100.0):
        return f"< 0.01{_PERCENT}" if share < 0.5 else f"> 99.99{_PERCENT}"
    return f"{words.rstrip('0').rstrip('.') if '.' in words else words}{_PERCENT}"


def _texts(found: Tradeoff, point: Point) -> dict[str, str]:
    return {
        "removed": percent(point.removed.share),
        "held": whole(point.removed.k),
        "people": whole(point.n_people),
        "work": _work(found, point),
        "audit": _audit(point),
        **{f"known-{at}": _known(share) for at, share in enumerate(point.known)},
    }


def _known(share: Share) -> str:
    low, high = share.interval
    counts = _("%(k)s of %(n)s") % {"k": whole(share.k), "n": whole(share.n)}
    return f"{counts} · {percent(share.share)} [{percent(low)}, {percent(high)}]"


def _audit(point: Point) -> str:
    bound = point.audited
    if bound is None:
        return _("There is no audit yet: it is drawn of what a threshold holds back once that stands.")
    if not bound.n_judged:
        return _("Nobody has judged a picture of the audit from below here, so it tells nothing yet.")
    given = {"n": whole(bound.upper), "judged": whole(bound.n_judged), "below": _number(bound.below)}
    if bound.below == point.threshold:
        words = ngettext(
            "The audit: at most one crater among all pictures held back (95 %%), from %(judged)s judged "
            "ones.",
            "The audit: at most %(n)s craters among all pictures held back (95 %%), from %(judged)s judged "
            "ones.",
            bound.upper,
        )
        return words % given
    words = _(
        "The audit was drawn for %(below)s: at most %(n)s craters below that (95 %%), from %(judged)s judged "
        "pictures. What lies above it is audited once this threshold stands."
    )
    return words % given


def _work(found: Tradeoff, point: Point) -> str:
    """What people still have to do, as far as their pace here tells."""
    pace, answers = found.pace, found.answers_needed(point)
    words = (
        _("%(open)s pictures to finish × %(each)s answers, the fewest of the rule: %(answers)s answers")
        if pace.is_by_rule
        else _("%(open)s pictures to finish × %(each)s answers, as so far: %(answers)s answers")
    ) % {
        "open": whole(point.n_open),
        "each": f"{pace.answers_each:.2g}",
        "answers": whole(answers),
    }
    times = [part for part in (_looking(pace, answers), _days(pace, answers)) if part]
    besides = _("Those of the audit come besides.")
    return f"{words}, {'; '.join(times)}. {besides}" if times else f"{words}. {besides}"


def _looking(pace: Pace, answers: int) -> str:
    if not pace.seconds_each:
        return ""
    hours = answers * pace.seconds_each / 3600
    words = ngettext("about one hour of looking", "about %s hours of looking", max(1, round(hours)))
    return words % whole(round(hours)) if "%s" in words else words


def _days(pace: Pace, answers: int) -> str:
    if not pace.per_day:
        return ""
    days = max(1, round(answers / pace.per_day))
    words = ngettext("one day at the pace of late", "%s days at the pace of late", days)
    return words % whole(days) if "%s" in words else words


def _suggestion(one: Suggestion) -> tuple[str, str]:
    return _number(one.threshold), one.why


def _number(threshold: float) -> str:
    """As it stands in the form: 0.01, 1e-06."""
    return f"{threshold:.10g}"


def _dot(share: Share, point: Point) -> Dot:
    low, high = share.interval
    return Dot(_x(share.share), _y(point.removed.share), _x(low), _x(high))


def _x(lost: float) -> float:
    return round(sqrt(lost) * WIDTH, 1)


def _y(removed: float) -> float:
    left = max(LEAST_LEFT, 1.0 - removed)
    return round(HEIGHT * (1.0 - log10(left) / log10(LEAST_LEFT)), 1)
