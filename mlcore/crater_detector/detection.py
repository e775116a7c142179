"""What the detector says about one crater."""

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Detection:
    """A crater found, on the body.

    Attributes:
        lon: Longitude of the centre, degrees, east-positive −180…180.
        lat: Latitude, degrees.
        diameter_m: Rim to rim.
        score: Calibrated probability that it is a crater, 0–1.
        uncertainty: 0 (every view says the same) to 1 (as many views for as against).
    """

    lon: float
    lat: float
    diameter_m: float
    score: float
    uncertainty: float

    @classmethod
    def example(cls) -> Self:
        """A small crater near Gassendi."""
        return cls(lon=-39.96, lat=-17.55, diameter_m=8200.0, score=0.93, uncertainty=0.12)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Inverse of to_json."""
        return cls(**value)

    def to_json(self) -> dict[str, float]:
        """A JSON-serialisable dict with the attributes as keys."""
        return asdict(self)
