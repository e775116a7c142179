"""Stopping rules: which one stands, which ones stood, and a new one set by a lead."""

from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from mlcore.consensus.answers.stopping import Outcome, StoppingRule
from mlcore.errors import Conflict
from review.models import Retirement, RuleVersion, Workflow

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


@transaction.atomic
def set_rule(*, workflow: Workflow, rule: StoppingRule, why: str, by: Participant | None) -> RuleVersion:
    """Begin a new rule: it stands from now until the next; what stood before is kept as it was.

    Raises:
        Conflict: The rule that stands says the same.
    """
    Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    standing = current(workflow)
    if standing.rule == rule:
        raise Conflict(
            _("Rule %(number)d says the same already; nothing is changed.") % {"number": standing.number}
        )
    return RuleVersion.objects.create(
        workflow=workflow, number=standing.number + 1, settings=rule.to_json(), why=why, set_by=by
    )


@dataclass
class Stood:
    """A rule as it stood, and how many pictures it retired."""

    version: RuleVersion
    changed: list[tuple[str, object, object]]
    retired: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    reopened: int = 0


def history(workflow: Workflow) -> list[Stood]:
    """Every rule, the one that stands first, with what it changed in the one before it."""
    versions = list(workflow.rules.select_related("set_by__user").order_by("number"))
    stood = {
        version.pk: Stood(version, _changes(earlier, version))
        for earlier, version in zip([None, *versions], versions, strict=False)
    }
    steps = Retirement.objects.filter(rule__workflow=workflow).values("rule", "step", "outcome")
    for row in steps.annotate(n=Count("pk")):
        if row["step"] == Retirement.Step.REOPENED:
            stood[row["rule"]].reopened += row["n"]
        else:
            stood[row["rule"]].retired[Outcome(row["outcome"])] += row["n"]
    return list(stood.values())[::-1]


def _changes(earlier: RuleVersion | None, version: RuleVersion) -> list[tuple[str, object, object]]:
    """(setting, before, after) of what differs; nothing for the first rule."""
    if earlier is None:
        return []
    before, after = earlier.rule.to_json(), version.rule.to_json()
    return [(name, before[name], after[name]) for name in after if before[name] != after[name]]
