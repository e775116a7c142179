"""What differs between the systems on the page of a run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from review.models import ModelVersion
from review.services.scores import ScoreRow


@dataclass(frozen=True)
class RunPage:
    """How one system's runs are shown.

    Attributes:
        template: Extends review/run.html, or is it.
        kinds: What a dataset counts → what people call it.
        rows: A version's figures of merit.
        more: What else the template is given.
    """

    template: str
    kinds: dict[str, Promise]
    rows: Callable[[ModelVersion], list[ScoreRow]]
    more: Callable[[ModelVersion | None], dict[str, Any]] = lambda version: {}
