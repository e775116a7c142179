"""The nouns of judging and learning; one file each."""

from review.models.classification import Classification
from review.models.dataset import Dataset
from review.models.model_version import ModelVersion
from review.models.run import Run, RunEvent, RunWindow
from review.models.subject import Subject
from review.models.verdict import Verdict
from review.models.worker import Worker
from review.models.workflow import Workflow

__all__ = [
    "Classification",
    "Dataset",
    "ModelVersion",
    "Run",
    "RunEvent",
    "RunWindow",
    "Subject",
    "Verdict",
    "Worker",
    "Workflow",
]
