"""The nouns of judging and learning; one file each."""

from review.models.audit_stratum import AuditStratum
from review.models.classification import Classification
from review.models.confirmation import Confirmation
from review.models.cut_out import CutOut
from review.models.dataset import Dataset
from review.models.errand import Errand
from review.models.gold import Gold
from review.models.judge import Judge
from review.models.model_version import ModelVersion
from review.models.picture import Frame, Picture
from review.models.picture_import import IncomingFile, PictureImport, RefusedFile
from review.models.quarantine import Quarantine
from review.models.reckoning import Estimate, Reckoning
from review.models.retirement import Retirement
from review.models.rule_version import RuleVersion
from review.models.run import Run, RunEvent, RunWindow
from review.models.score_import import ScoreImport
from review.models.showing import Showing
from review.models.subject import Subject
from review.models.verdict import Verdict
from review.models.worker import Worker
from review.models.workflow import Workflow

__all__ = [
    "AuditStratum",
    "Classification",
    "Confirmation",
    "CutOut",
    "Dataset",
    "Errand",
    "Estimate",
    "Frame",
    "Gold",
    "IncomingFile",
    "Judge",
    "ModelVersion",
    "Picture",
    "PictureImport",
    "Quarantine",
    "Reckoning",
    "RefusedFile",
    "Retirement",
    "RuleVersion",
    "Run",
    "RunEvent",
    "RunWindow",
    "ScoreImport",
    "Showing",
    "Subject",
    "Verdict",
    "Worker",
    "Workflow",
]
