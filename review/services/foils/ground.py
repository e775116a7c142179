"""What stands for all subjects of a triage at this moment: its rule, and what people can do on average."""

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery

from mlcore.consensus.answers.skill import Rates
from mlcore.consensus.answers.stopping import StoppingRule
from review.models import Reckoning, RuleVersion, Workflow


@dataclass(frozen=True)
class Ground:
    """What an answer is weighed by, besides its giver's own skill."""

    version: RuleVersion
    rule: StoppingRule
    population: Rates


def hold(workflow: Workflow) -> None:
    """Look up once for all that is done with this object; for one request, never for longer."""
    workflow.ground = ground_of(workflow)


def ground_of(workflow: Workflow) -> Ground:
    """Of now, in one statement: the newest rule, and the newest reckoning's rates of the population."""
    if hasattr(workflow, "ground"):
        return workflow.ground
    newest = Reckoning.objects.filter(workflow=OuterRef("workflow")).order_by("-pk")
    version = (
        RuleVersion.objects.filter(workflow=workflow)
        .annotate(population=Subquery(newest.values("findings__population")[:1]))
        .order_by("-number")[:1]
        .get()
    )
    return Ground(version, version.rule, rates_from(version.population))


def rates_from(stored: dict[str, Any] | None) -> Rates:
    """The population's rates as a reckoning keeps them; before the first one nothing is known."""
    if not stored:
        return Rates()
    return Rates(float(stored["sensitivity"]), float(stored["specificity"]))
