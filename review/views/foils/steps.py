"""What somebody does next in a campaign on foils: the one primary button of its page and its card."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Campaign, Role
from annotate.templatetags.planet import whole
from annotate.views.steps import Step
from review.access import REVIEWERS
from review.models import Gold, Judge, Workflow
from review.services.foils.judging.selves import Person
from review.services.foils.results import candidates, reckoning
from review.services.foils.results.candidates import Wish
from review.services.foils.rules import rules


def next_step(person: Person | None, roles: frozenset[str], campaign: Campaign) -> Step:
    """What a person with these roles does next; nobody has to sign in to judge."""
    workflow = rules.workflow_of(campaign)
    step = None
    if Role.LEAD in roles:
        step = _setting_up(workflow)
    if step is None and roles & REVIEWERS:
        step = _looking_through(workflow)
    return step or _judging(workflow, person)


def _setting_up(workflow: Workflow) -> Step | None:
    uid = workflow.campaign.uid
    if not workflow.campaign.pictures.survey().exists():
        return Step(
            _("There are no pictures yet"),
            _("Upload an archive or a TIFF stack, or name a folder of the server's."),
            _("Add images"),
            reverse("review:foil_import", args=[uid]),
        )
    if not Gold.objects.filter(subject__workflow=workflow).exists():
        return Step(
            _("No picture is known yet"),
            _("Without pictures whose answer is known, nothing tells who sees craters and who does not."),
            _("Make known pictures"),
            reverse("review:foil_gold", args=[uid]),
        )
    return None


def _looking_through(workflow: Workflow) -> Step | None:
    newest = reckoning.newest(workflow)
    n = candidates.count(newest, Wish("to_look_at")) if newest else 0
    if not n:
        return None
    return Step(
        ngettext("%(n)s candidate waits for an expert", "%(n)s candidates wait for an expert", n)
        % {"n": whole(n)},
        _(
            "The most probable craters come first; what the microscope says of them tests the network, or "
            "teaches it."
        ),
        _("Look through them"),
        reverse("review:foil_results", args=[workflow.campaign.uid]),
    )


def _judging(workflow: Workflow, person: Person | None) -> Step:
    judge = (
        Judge.objects.filter(workflow=workflow, participant=person.participant).first() if person else None
    )
    n = judge.n_answers if judge else 0
    title = _("Is there an impact crater?")
    if n:
        title = ngettext("You have judged %(n)s picture", "You have judged %(n)s pictures", n) % {
            "n": whole(n)
        }
    why = _("One picture at a time: click the crater, or say that there is none.")
    if person is None:
        why += " " + _("You can start at once, without signing in.")
    url = reverse("review:triage", args=[workflow.campaign.uid])
    return Step(title, why, _("Go on finding craters") if n else _("Find craters"), url)
