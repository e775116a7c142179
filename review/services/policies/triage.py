"""Triage: people say whether pictures of foils show a crater, and each answer weighs what its giver can see.

What becomes of a picture is a function of the answers that stand, their givers' skills at this moment and
the rule: so neither the order of the answers nor the number of times it is computed matters, and taking an
answer back, setting somebody aside and a new rule are all the same step. It costs a few rows, however long
the history.

A person's several selves count once on a subject, by the first of their answers that stand. A known picture
never retires; answers to it say how well their givers see.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from mlcore.consensus.answers import skill as skills
from mlcore.consensus.answers.skill import Skill
from mlcore.consensus.answers.stopping import Outcome, StoppingRule, Tally
from mlcore.consensus.answers.stopping import outcome as outcome_by
from mlcore.consensus.answers.swap import evidence, probability
from mlcore.errors import InvalidInput
from review.models import Classification, Judge, Retirement, RuleVersion, Subject, Workflow
from review.services.foils import spots
from review.services.foils.ground import Ground, ground_of
from review.services.foils.judging.credit import credit, giver_of
from review.services.foils.judging.votes import Vote, by_subject, counting
from review.services.foils.settings import TriageSettings
from review.services.foils.spots import Spot
from review.services.policies.change import Change

Answer = Classification.Answer
ANSWERS = (Answer.CRATER, Answer.NOTHING, Answer.CANNOT_TELL)
# What an answer changes of its subject, and what changes besides where it leaves the queue or comes back.
_WEIGHED = ("n_answers", "log_odds", "n_votes", "n_cannot_tell", "n_practised")
_MOVED = ("outcome", "rule", "retired_at", "retired_because")
# The same of many subjects at once; Django's own way spends ten times as long on writing the statement.
_COLUMNS = ("pk", *_WEIGHED, "outcome", "rule_id", "retired_at", "retired_because")
_SAVE_ALL = """
    UPDATE review_subject AS s SET n_answers = w.n_answers, log_odds = w.log_odds, n_votes = w.n_votes,
        n_cannot_tell = w.n_cannot_tell, n_practised = w.n_practised, outcome = w.outcome, rule_id = w.rule,
        retired_at = w.retired_at, retired_because = w.retired_because
    FROM unnest(%s::bigint[], %s::int[], %s::float8[], %s::int[], %s::int[], %s::int[], %s::text[],
        %s::bigint[], %s::timestamptz[], %s::text[])
        AS w (id, n_answers, log_odds, n_votes, n_cannot_tell, n_practised, outcome, rule, retired_at,
            retired_because)
    WHERE s.id = w.id
"""


def check(subject: Subject, *, answer: str, reason: str, payload: dict[str, object]) -> dict[str, object]:
    """Refuse what is no answer to a picture, a crater without a place, and places outside of the picture."""
    if answer not in ANSWERS:
        raise InvalidInput(
            _("“%(answer)s” is no answer to a picture; give one of %(known)s.")
            % {"answer": answer, "known": ", ".join(ANSWERS)},
            code="answer",
        )
    marks = payload.get("marks") or []
    if answer != Answer.CRATER:
        if marks:
            raise InvalidInput(_("Only a crater has a place; send the answer without marks."), code="marks")
        return {}
    if not isinstance(marks, list) or not 1 <= len(marks) <= spots.MOST:
        raise InvalidInput(_("Click the crater: 1 to %d places are needed.") % spots.MOST, code="marks")
    return {"marks": [_mark(mark, subject) for mark in marks]}


def settle(subject: Subject, change: Change | None = None, *, is_by_new_rule: bool = False) -> None:
    """Bring tally, outcome and retirement into line with the standing answers, and the giver's counts too.

    What an earlier rule retired stays so as long as that rule does, unless the new one shall decide it
    (is_by_new_rule). The caller holds the subject's row lock.
    """
    if subject.stratum == Subject.Stratum.GOLD and change is not None:
        _settle_known(subject, change)
        return
    votes = counting(subject)
    if change is not None and change.new.round == 0:
        credit(subject, change, votes)
    subject.n_answers = len(votes)
    if subject.stratum == Subject.Stratum.GOLD:
        subject.save(update_fields=["n_answers"])
        return
    judges = _judges(subject.workflow, votes)
    moved = _weigh(subject, votes, judges, ground_of(subject.workflow), is_by_new_rule)
    subject.save(update_fields=[*_WEIGHED, *(_MOVED if moved else ())])
    if moved:
        moved.save()


def settle_all(
    workflow: Workflow, subjects: Sequence[Subject], *, is_by_new_rule: bool = False
) -> list[Retirement]:
    """As settle, of many subjects at once, none of them known; the steps that they have made.

    A dozen statements for all of them, where settle takes as many for each.
    """
    ground = ground_of(workflow)
    given = Classification.objects.filter(workflow=workflow, subject__in=subjects, round=0)
    votes = by_subject(given)
    judges = _judges(workflow, [vote for some in votes.values() for vote in some])
    steps = []
    for subject in subjects:
        own = votes.get(subject.pk, [])
        subject.n_answers = len(own)
        if moved := _weigh(subject, own, judges, ground, is_by_new_rule):
            steps.append(moved)
    columns = [[getattr(subject, name) for subject in subjects] for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_ALL, columns)
    return Retirement.objects.bulk_create(steps)


def _weigh(
    subject: Subject, votes: list[Vote], judges: dict[int, Judge], ground: Ground, is_by_new_rule: bool
) -> Retirement | None:
    """Take tally and outcome anew, unsaved; the step out of the queue or back into it, unsaved too."""
    tally = tally_of(subject, votes, judges, ground)
    subject.log_odds, subject.n_votes = tally.log_odds, tally.votes
    subject.n_cannot_tell, subject.n_practised = tally.cannot_tell, tally.practised
    became = _outcome(subject, tally, ground, is_by_new_rule)
    if (became or "") == subject.outcome:
        return None
    return _moved(subject, became, tally, ground.version)


def tally_of(subject: Subject, votes: Iterable[Vote], judges: dict[int, Judge], ground: Ground) -> Tally:
    """What the subject has gathered from those whose answers are not set aside."""
    log_odds, n_votes, n_cannot_tell, n_practised = subject.prior_log_odds, 0, 0, 0
    # Sums of floats depend on their order; that of the givers does not depend on who came first.
    for vote in sorted(votes, key=lambda vote: vote.person):
        judge = judges.get(vote.person)
        if judge is not None and judge.quarantined_at is not None:
            continue
        skill = judge.skill(ground.population) if judge else Skill(prior=ground.population)
        log_odds += evidence(skill, skills.Answer(vote.answer))
        n_votes += 1
        n_cannot_tell += vote.answer == Answer.CANNOT_TELL
        n_practised += skill.known_answers >= ground.rule.practised_after
    return Tally(log_odds, n_votes, n_cannot_tell, n_practised)


def _outcome(subject: Subject, tally: Tally, ground: Ground, is_by_new_rule: bool) -> Outcome | None:
    if tally.votes < subject.wanted:
        return None
    if subject.rule_id not in (None, ground.version.pk) and not is_by_new_rule:
        by_its_own = outcome_by(subject.rule.rule, tally)
        if by_its_own == subject.outcome:
            return by_its_own
    return outcome_by(ground.rule, tally)


def why(version: RuleVersion, became: Outcome | None, tally: Tally) -> str:
    """The sentence of a retirement, or of a return to the queue."""
    rule: StoppingRule = version.rule
    words = {
        "rule": version.number,
        "p": f"{probability(tally.log_odds):.3g}",
        "votes": tally.votes,
        "accept": f"{rule.accept:g}",
        "reject": f"{rule.reject:g}",
        "practised": tally.practised,
        "cannot_tell": tally.cannot_tell,
        "percent": f"{100 * rule.bad_image_share:g}",
    }
    match became:
        case Outcome.CANDIDATE:
            text = _("Rule %(rule)d: probability %(p)s is at least %(accept)s after %(votes)d answers")
        case Outcome.NOTHING:
            text = _(
                "Rule %(rule)d: probability %(p)s is below %(reject)s after %(votes)d answers, %(practised)d "
                "of them by people with practice"
            )
        case Outcome.BAD_IMAGE:
            text = _(
                "Rule %(rule)d: %(cannot_tell)d of %(votes)d answers are “cannot tell”, at least "
                "%(percent)s %%"
            )
        case Outcome.UNDECIDED:
            text = _("Rule %(rule)d: probability %(p)s decides nothing after %(votes)d answers; to reviewers")
        case _:
            text = _("Rule %(rule)d: probability %(p)s with %(votes)d answers no longer decides")
    return text % words


def _judges(workflow: Workflow, votes: Iterable[Vote]) -> dict[int, Judge]:
    people = {vote.person for vote in votes}
    judges = Judge.objects.filter(workflow=workflow, participant__in=people)
    return {judge.participant_id: judge for judge in judges}


def _moved(subject: Subject, became: Outcome | None, tally: Tally, version: RuleVersion) -> Retirement:
    """Out of the queue, back into it, or from one outcome to another, unsaved; each step is a row."""
    sentence = why(version, became, tally)
    subject.outcome = became.value if became else ""
    subject.rule = version if became else None
    subject.retired_at = timezone.now() if became else None
    subject.retired_because = sentence[:200] if became else ""
    return Retirement(
        subject=subject,
        step=Retirement.Step.RETIRED if became else Retirement.Step.REOPENED,
        outcome=subject.outcome,
        rule=version,
        tally=asdict(tally) | _as_scored(subject),
        why=sentence,
    )


def _as_scored(subject: Subject) -> dict[str, float | None]:
    """What the network said, and the threshold: a rejected picture is a look-alike where it lay above it."""
    threshold = subject.workflow.settings.get("threshold", TriageSettings.threshold)
    return {"score": subject.picture.score_raw, "threshold": threshold}


def _settle_known(subject: Subject, change: Change) -> None:
    """A known picture has as many answers as there are people: only those of this giver are read."""
    if change.new.round != 0:
        return
    votes = counting(subject, by=giver_of(change))
    grown = credit(subject, change, votes)
    # Asked as for any other picture and not needed: how long an answer takes must not tell them apart.
    _judges(subject.workflow, votes)
    ground_of(subject.workflow)
    subject.n_answers = max(0, subject.n_answers + grown)
    subject.save(update_fields=["n_answers"])


def _mark(mark: object, subject: Subject) -> dict[str, float]:
    """A place inside the picture, to a hundredth of a pixel."""
    values = [mark.get("x_px"), mark.get("y_px")] if isinstance(mark, dict) else []
    if not values or not all(
        isinstance(v, int | float) and not isinstance(v, bool) and isfinite(v) for v in values
    ):
        raise InvalidInput(_("Each place needs numbers for x_px and y_px."), code="marks")
    x_px, y_px = (float(value) for value in values)
    spots.check(Spot(x_px, y_px), subject.picture, place_code="marks")
    return {"x_px": round(x_px, 2), "y_px": round(y_px, 2)}
