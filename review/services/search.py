"""What differs between learning systems where a run goes through windows; the going is one, searching.py."""

from collections.abc import Callable
from dataclasses import dataclass

from mlcore import api
from review.models import Run, RunWindow
from review.services.windows import Claim

Found = list[dict[str, float]]


@dataclass(frozen=True)
class Search:
    """How one system's runs look through their windows.

    Attributes:
        job: For the process that looks through what was claimed.
        checked: What came back of a window, as it is kept; a TektiteError where it cannot be true.
        progress: How far a run is, 0 to 1, and in words.
        closing: What a run is at once its windows are done, in words.
        publish: Makes of all windows what the run is for, in the transaction that ends it; what is kept with
            the run.
        keeps_folders: Whether the folder of a batch that ended well stays; all it says is in rows by then.
    """

    job: Callable[[Claim], api.Job]
    checked: Callable[[RunWindow, Found], Found]
    progress: Callable[[Run], tuple[float, str]]
    closing: Callable[[], str]
    publish: Callable[[Run], dict[str, object]]
    keeps_folders: bool = True
