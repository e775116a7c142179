"""What a crowd was promised beside what the database holds. Imported only once Django is set up."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from django.db.models import Count, QuerySet

from benchmarks.foil_fill import N_PEOPLE, Filled, Log
from review.models import Classification, Judge, Showing, Subject, Workflow
from review.services.foils.gold.known import Counts, counts_of
from review.services.foils.rules import rules

Figures = dict[str, int]


def compare(workflow: Workflow, loads: Sequence[dict[str, object]]) -> Figures:
    """Every answer once, nobody shown a subject twice, no subject asked for more than its rule wants."""
    promised = {(UUID(uid), UUID(showing)) for told in loads for uid, showing, _who in told["acknowledged"]}
    shown = {(UUID(uid), who) for told in loads for uid, who in told["shown"]}
    showings = dict(
        Showing.objects.filter(uid__in={uid for uid, _ in shown}).values_list("uid", "subject_id")
    )
    people = Showing.objects.filter(uid__in=showings).values("participant").distinct()
    stored = Classification.objects.filter(workflow=workflow, participant__in=people)
    given = stored.exclude(answer=Classification.Answer.WITHDRAWN)
    times = Counter(given.filter(created_at__gt=workflow.created_at).values_list("uid", flat=True))
    twice = Counter((showings[uid], who) for uid, who in shown)
    return {
        "acknowledged": len({uid for uid, _ in promised}),
        "stored": len(times),
        "lost": len({uid for uid, _ in promised} - times.keys()),
        "doubled": sum(n > 1 for n in times.values()) + _edits_with_gaps(stored),
        "never_acknowledged": len(times.keys() - {uid for uid, _ in promised}),
        "forged_showings": len({uid for _, uid in promised} - showings.keys()),
        "subjects_twice_before_a_person": sum(n > 1 for n in twice.values()),
        **_tallies(workflow, set(showings.values())),
        "judges_that_differ": _judges(workflow, people),
    }


def untouched(filled: Filled, log: Log) -> Log:
    """The answers to subjects that nobody of the crowd has been shown."""
    touched = Showing.objects.filter(
        subject__workflow=filled.workflow, participant__gte=filled.first[1] + N_PEOPLE
    )
    pks = np.array(touched.values_list("subject", flat=True).distinct(), np.int64)
    return log[~np.isin(log.subject + filled.first[0], pks)]


def _edits_with_gaps(stored: QuerySet[Classification]) -> int:
    """Answers to one subject by one person whose edits are not numbered without a gap."""
    edits: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for *whose, edit in stored.values_list("subject_id", "participant_id", "round", "edit"):
        edits[tuple(whose)].append(edit)
    return sum(sorted(numbers) != list(range(len(numbers))) for numbers in edits.values())


def _tallies(workflow: Workflow, touched: set[int]) -> Figures:
    """Of the subjects that were shown: beyond their limit, and tallied otherwise than counted anew."""
    limit = rules.current(workflow).rule.max_votes
    standing = Classification.objects.filter(workflow=workflow, subject__in=touched).standing()
    votes = dict(standing.values_list("subject").annotate(n=Count("id")))
    subjects = Subject.objects.filter(pk__in=touched)
    unknown = subjects.exclude(stratum=Subject.Stratum.GOLD)
    return {
        "subjects_touched": len(touched),
        "subjects_over_their_limit": sum(
            votes.get(pk, 0) > limit for pk in unknown.values_list("pk", flat=True)
        ),
        "tallies_that_differ": sum(n != votes.get(pk, 0) for pk, n in unknown.values_list("pk", "n_votes")),
    }


def _judges(workflow: Workflow, people: QuerySet[Showing]) -> int:
    """People whose answers to known subjects are counted otherwise than the log says."""
    anew: dict[int, Counts] = defaultdict(Counts)
    known = Classification.objects.filter(
        workflow=workflow, participant__in=people, subject__gold__isnull=False
    )
    for said in known.standing().select_related("subject__gold__subject__picture"):
        anew[said.participant_id] += counts_of(said.subject.gold, said.answer, said.payload)
    return sum(
        Counts(judge.hits, judge.craters, judge.passes, judge.blanks) != anew[judge.participant_id]
        for judge in Judge.objects.filter(workflow=workflow, participant__in=people)
    )
