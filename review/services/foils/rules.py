"""Stopping rules: which one stands."""

from django.db import transaction

from annotate.models import Campaign
from mlcore.consensus.answers.stopping import StoppingRule
from review.models import RuleVersion, Workflow

QUESTION = "Is there an impact crater?"


@transaction.atomic
def workflow_of(campaign: Campaign) -> Workflow:
    """The campaign's triage, made at first need with the default rule."""
    workflow, is_new = Workflow.objects.get_or_create(
        campaign=campaign, policy=Workflow.Policy.TRIAGE, defaults={"question": QUESTION}
    )
    if is_new:
        RuleVersion.objects.create(workflow=workflow, number=1, settings=StoppingRule().to_json())
    return workflow


def current(workflow: Workflow) -> RuleVersion:
    """The rule that stands now."""
    return workflow.rules.order_by("-number")[:1].get()
