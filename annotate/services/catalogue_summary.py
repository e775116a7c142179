"""What a catalogue holds at a glance: how many of which size, and where."""

from dataclasses import dataclass
from math import log, sqrt

from django.db.models import Count, F, FloatField, Func, Max, Min, Value
from django.db.models.functions import Floor

from annotate.models import Catalogue

_STEPS_PER_DOUBLING = 2


@dataclass(frozen=True)
class SizeBin:
    """How many craters have low_m ≤ diameter < high_m."""

    low_m: float
    high_m: float
    n: int
    # Whether low_m is 1 km times a power of two.
    is_doubling: bool


class _NaturalLog(Func):
    function = "LN"
    output_field = FloatField()


def size_bins(catalogue: Catalogue) -> list[SizeBin]:
    """Counts in √2 bins with an edge at 1 km, smallest first, gaps included."""
    per_step = log(2) / _STEPS_PER_DOUBLING
    counted = (
        catalogue.features.annotate(
            step=Floor(_NaturalLog(F("diameter_m") / Value(1000.0)) / Value(per_step))
        )
        .values("step")
        .annotate(n=Count("pk"))
        .order_by("step")
    )
    counts = {int(row["step"]): row["n"] for row in counted}
    if not counts:
        return []
    return [
        SizeBin(
            low_m=1000 * sqrt(2) ** step,
            high_m=1000 * sqrt(2) ** (step + 1),
            n=counts.get(step, 0),
            is_doubling=step % 2 == 0,
        )
        for step in range(min(counts), max(counts) + 1)
    ]


def extent(catalogue: Catalogue) -> list[float] | None:
    """[west, south, east, north] of the centres; None where there are none."""
    box = catalogue.features.aggregate(west=Min("lon"), south=Min("lat"), east=Max("lon"), north=Max("lat"))
    return None if box["west"] is None else [box["west"], box["south"], box["east"], box["north"]]


def largest(catalogue: Catalogue, n: int) -> list[tuple[float, float, float]]:
    """lon, lat and diameter_m of the n largest."""
    return list(catalogue.features.order_by("-diameter_m", "pk").values_list("lon", "lat", "diameter_m")[:n])
