"""Subjects that leave the queue or come back because of what a lead did; each step is a row that says why."""

from collections import Counter

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotate.models import Participant
from mlcore.errors import Conflict, InvalidInput
from review.models import Errand, Retirement, Subject, Workflow
from review.services.foils.errands import Progress
from review.services.foils.rules.rule_preview import judged
from review.services.policies import triage

# So many subjects are settled in one transaction: whoever answers one of them meanwhile waits for its end.
CHUNK = 200
MOST_FURTHER = 100


def apply_rule(errand: Errand, tell: Progress) -> dict[str, object]:
    """Retire what meets the rule that stands, and, where asked, open what it would not have retired.

    The question is {"rule": its number, "opens_again": bool}.
    """
    version = errand.workflow.rules.get(number=errand.question["rule"])
    tallies = judged(errand.workflow, version.rule)
    became = tallies.under(version.rule)
    goes = (tallies.outcome == "") & (became != "")
    if errand.question["opens_again"]:
        goes |= (tallies.outcome != "") & (became != tallies.outcome)
    due = tallies.pk[goes].tolist()
    if errand.question["opens_again"]:
        due += (
            _retired(errand.workflow).filter(n_votes__lt=version.rule.min_votes).values_list("pk", flat=True)
        )
    return settle_all(errand.workflow, due, tell, is_by_new_rule=errand.question["opens_again"])


def settle_all(
    workflow: Workflow, subjects: list[int], tell: Progress, *, is_by_new_rule: bool = False
) -> dict[str, object]:
    """Settle each subject anew (see triage.settle); how many changed, by what they became ("" for open)."""
    changed: Counter[str] = Counter()
    tell(0, len(subjects))
    for done in range(0, len(subjects), CHUNK):
        changed.update(_settle(workflow, subjects[done : done + CHUNK], is_by_new_rule))
        tell(min(done + CHUNK, len(subjects)), len(subjects))
    return {"looked_at": len(subjects), "changed": dict(changed)}


@transaction.atomic
def _settle(workflow: Workflow, pks: list[int], is_by_new_rule: bool) -> list[str]:
    """The new outcomes, where they are other ones."""
    unknown = Subject.objects.exclude(stratum=Subject.Stratum.GOLD).filter(pk__in=pks).order_by("pk")
    unknown = unknown.select_related("picture", "workflow")
    subjects = list(unknown.select_for_update(no_key=True, of=("self",)))
    steps = triage.settle_all(workflow, subjects, is_by_new_rule=is_by_new_rule)
    return [step.outcome for step in steps]


@transaction.atomic
def reopen(*, subject: Subject, further: int, why: str, by: Participant) -> None:
    """Bring a retired subject back until it has so many further answers; the rule decides again then.

    Raises:
        InvalidInput: No reason is given, or a number out of range.
        Conflict: It is in the queue already.
    """
    check_reopening(further, why)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    if not subject.outcome:
        raise Conflict(_("This picture is in the queue already: somebody was faster."))
    _reopen(subject, further, why, by)


def check_reopening(further: int, why: str) -> None:
    """Refuse a return to the queue without a reason, or for a number of answers out of range."""
    if not why.strip():
        raise InvalidInput(_("Say why: the reason stands beside the picture for those who come after you."))
    if not 1 <= further <= MOST_FURTHER:
        raise InvalidInput(
            _("A picture that is opened again gets 1 to %(most)d further answers, not %(n)d.")
            % {"most": MOST_FURTHER, "n": further}
        )


def reopen_all(errand: Errand, tell: Progress) -> dict[str, object]:
    """Bring back what a rule retired with one outcome, as `reopen` does with one.

    The question is {"rule": its number, "outcome", "further": answers, "why"}.
    """
    asked = errand.question
    due = retired(errand.workflow, outcome=asked["outcome"], rule=asked["rule"])
    pks, n_opened = sorted(due.values_list("pk", flat=True)), 0
    tell(0, len(pks))
    for done in range(0, len(pks), CHUNK):
        with transaction.atomic():
            still = Subject.objects.select_for_update(no_key=True, of=("self",)).filter(
                pk__in=pks[done : done + CHUNK], outcome=asked["outcome"], rule__number=asked["rule"]
            )
            for subject in still.order_by("pk"):
                _reopen(subject, asked["further"], asked["why"], errand.asked_by)
                n_opened += 1
        tell(min(done + CHUNK, len(pks)), len(pks))
    return {"looked_at": len(pks), "changed": {"": n_opened}}


def retired(workflow: Workflow, *, outcome: str = "", rule: int | None = None) -> QuerySet[Subject]:
    """What is out of the queue, the latest first, perhaps only of one outcome or by one rule's number."""
    found = _retired(workflow).select_related("picture", "rule").order_by("-retired_at", "-pk")
    if outcome:
        found = found.filter(outcome=outcome)
    return found if rule is None else found.filter(rule__number=rule)


def _retired(workflow: Workflow) -> QuerySet[Subject]:
    return Subject.objects.filter(workflow=workflow).exclude(outcome="").exclude(stratum=Subject.Stratum.GOLD)


def _reopen(subject: Subject, further: int, why: str, by: Participant | None) -> None:
    """The caller holds the row's lock."""
    tally = {
        "log_odds": subject.log_odds,
        "votes": subject.n_votes,
        "cannot_tell": subject.n_cannot_tell,
        "practised": subject.n_practised,
    }
    Retirement.objects.create(
        subject=subject,
        step=Retirement.Step.REOPENED,
        rule=subject.rule,
        tally=tally,
        why=why.strip()[:300],
        by=by,
    )
    subject.wanted = subject.n_votes + further
    subject.outcome, subject.rule, subject.retired_at, subject.retired_because = "", None, None, ""
    subject.save(update_fields=["wanted", "outcome", "rule", "retired_at", "retired_because"])
