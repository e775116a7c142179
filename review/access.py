"""Who may do what with workflows, subjects, runs and model versions: the matrix, as data."""

from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from annotate.access import Matrix, Permission, authorise
from annotate.access import get_campaign as get_campaign_by_matrix
from annotate.models import Campaign, Role
from mlcore.errors import NotFound
from review.models import ModelVersion, Run, Subject, Workflow

REVIEWERS: Permission = frozenset({Role.REVIEWER, Role.LEAD})

# {URL name: {method: who}}. Staff may do everything; HEAD counts as GET.
MATRIX: Matrix = {}


def get_campaign(request: HttpRequest, uid: UUID) -> Campaign:
    """The campaign, if the asker may do with it what this URL of review does."""
    return get_campaign_by_matrix(request, uid, matrix=MATRIX)


def get_workflow(request: HttpRequest, uid: UUID) -> Workflow:
    """The workflow, if the asker may do with it what this URL does."""
    workflow = Workflow.objects.select_related("campaign").filter(uid=uid).first()
    if workflow is None:
        raise NotFound(_("There is no workflow at this address."))
    authorise(request, workflow.campaign, matrix=MATRIX)
    return workflow


def get_subject(request: HttpRequest, uid: UUID) -> Subject:
    """The subject, if the asker may do with it what this URL does."""
    subject = Subject.objects.select_related("workflow__campaign", "feature").filter(uid=uid).first()
    if subject is None:
        raise NotFound(_("There is no subject at this address."))
    authorise(request, subject.workflow.campaign, matrix=MATRIX)
    return subject


def get_run(request: HttpRequest, uid: UUID) -> Run:
    """The run, if the asker may do with it what this URL does."""
    run = (
        Run.objects.select_related("campaign", "dataset", "model_version", "basemap").filter(uid=uid).first()
    )
    if run is None:
        raise NotFound(_("There is no run at this address."))
    authorise(request, run.campaign, matrix=MATRIX)
    return run


def get_model_version(request: HttpRequest, uid: UUID) -> ModelVersion:
    """The model version, if the asker may do with it what this URL does."""
    version = ModelVersion.objects.select_related("campaign", "run").filter(uid=uid).first()
    if version is None:
        raise NotFound(_("There is no model version at this address."))
    authorise(request, version.campaign, matrix=MATRIX)
    return version
