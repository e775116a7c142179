"""Figures of a triage as shapes for the templates to draw."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 560.0, 280.0
# Where the axis of completeness may begin, and how many lines its grid then has.
_BEGINS = {0.0: 5, 0.5: 5, 0.8: 4, 0.9: 5, 0.95: 5, 0.98: 4}
_STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100)
_FEWEST_TICKS = 3


@dataclass(frozen=True)
class Tick:
    """A line of the grid with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A rule: its middle, its interval along each axis, and its figures."""

    x: float
    y: float
    left: float
    right: float
    top: float
    bottom: float
    is_asked: bool
    label: str


@dataclass(frozen=True)
class Curve:
    """Votes for each image against completeness; y grows downwards."""

    dots: list[Dot]
    line: str
    across: list[Tick]
    upwards: list[Tick]
    width: float = WIDTH
    height: float = HEIGHT


def votes_against_completeness(points: list[dict[str, Any]]) -> Curve | None:
    """The points of a simulation's findings, from few votes to many; None where no crater was played."""
    told = sorted((p for p in points if p["completeness"]), key=lambda p: p["votes"]["mean"])
    if not told:
        return None
    most = max(point["votes"]["high"] for point in told) * 1.08
    worst = min(point["completeness"]["low"] for point in told)
    least = max(value for value in _BEGINS if value <= worst)
    n_lines = _BEGINS[least]

    def x(votes: float) -> float:
        return round(votes / most * WIDTH, 1)

    def y(share: float) -> float:
        return round((1.0 - (share - least) / (1.0 - least)) * HEIGHT, 1)

    dots = [
        Dot(
            x=x(point["votes"]["mean"]),
            y=y(point["completeness"]["mean"]),
            left=x(point["votes"]["low"]),
            right=x(point["votes"]["high"]),
            top=y(point["completeness"]["high"]),
            bottom=y(point["completeness"]["low"]),
            is_asked=point["is_asked"],
            label=f"{point['rule']['reject']:g}",
        )
        for point in told
    ]
    step = max(value for value in (_STEPS[0], *_STEPS) if most / value >= _FEWEST_TICKS or value == _STEPS[0])
    return Curve(
        dots=dots,
        line="M" + "L".join(f"{dot.x} {dot.y}" for dot in dots),
        across=[Tick(x(step * n), f"{step * n:g}") for n in range(int(most / step) + 1)],
        upwards=[
            Tick(y(share), f"{share:.4g}")
            for share in (least + (1.0 - least) * n / n_lines for n in range(n_lines + 1))
        ],
    )
