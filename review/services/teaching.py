"""What differs between learning systems where people teach them; the training is one, training.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from annotate.models import Campaign
from review.models import Dataset, ModelVersion, Run

Progress = Callable[[], None]
Counts = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Teaching:
    """How one system is taught.

    Attributes:
        title: What people call it.
        kind: Of the campaigns that it learns in.
        freezing: What a run is at while `freeze` runs, in words.
        check: Of (campaign, **material): refuses in a sentence where there is nothing to learn from. What may
            be chosen of the material is the system's own, and given by name.
        kept: Of (**material): what the run's config keeps of that choice, as JSON.
        freeze: The dataset of a run, by its config; told Progress often, which may raise to stop it.
        counted: A dataset's counts in a sentence for the log.
        check_start: Refuses weights that a training with these settings cannot continue from, where that is
            known before they are loaded.
    """

    title: Promise
    kind: Campaign.Kind
    freezing: Promise
    check: Callable[..., None]
    kept: Callable[..., dict[str, object]]
    freeze: Callable[[Run, Progress], Dataset]
    counted: Callable[[Counts], str]
    check_start: Callable[[Any, ModelVersion], None] | None = None
