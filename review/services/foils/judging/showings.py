"""Which picture comes before whom next.

Three showings at a time are open to a person: one on the screen and two on their way. Each is drawn as one
of three kinds: a known picture, with a share that thins out as the person answers; one of the audit; or one
of the queue. Of the queue a few dozen from a random place on are looked at, and the one of which this
person's answer should tell most is taken; so it costs the same with a hundred pictures and with a million,
however many the person has seen. A showing keeps a place among its subject's answers until it expires; an
answer after that is taken all the same.

What is asked of the database does not depend on the kind that was drawn: nothing tells them apart.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from random import SystemRandom

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from mlcore.simulate.triage import gold_share
from review.models import Frame, Judge, Showing, Subject, Workflow
from review.services.foils.ground import Ground, ground_of
from review.services.foils.judging.sampling import Candidate, anywhere, most_telling, sample
from review.services.foils.judging.selves import Person
from review.services.foils.settings import TriageSettings

AT_ONCE = 3
EXPIRES = timedelta(minutes=10)
# Taking back reopens some besides; of what has expired and is taken by others not all is looked at.
MOST_OPEN = 30
# Besides what is wanted, so many more are locked, since others may take them in this moment.
SPARE = 4

Stratum = Subject.Stratum
random = SystemRandom()


def open_to(workflow: Workflow, person: Person, *, practice: bool) -> list[Showing]:
    """The person's showings without an answer that still matter, the oldest first; each with n_frames.

    What would expire soon is kept for a while longer; what has expired comes back if its place is free.
    """
    found = (
        Showing.objects.filter(
            participant__in=person.pks,
            answered_at__isnull=True,
            subject__workflow=workflow,
            subject__retired_at__isnull=True,
        )
        .filter(_is_practice(practice))
        .select_related("subject__picture")
        .annotate(n_frames=frames_of("subject__picture"))
        .order_by("-expires_at", "-pk")
    )
    if len(person.selves) > 1:
        twin = Showing.objects.filter(
            subject=OuterRef("subject"), participant__in=person.pks, pk__lt=OuterRef("pk")
        )
        found = found.filter(~Exists(twin))
    return _renewed(workflow, sorted(found[:MOST_OPEN], key=lambda showing: showing.pk))


def top_up(
    *, workflow: Workflow, judge: Judge, person: Person, settings: TriageSettings, network: str = ""
) -> list[Showing]:
    """Three open showings for a person who has passed the test, or as many as there are.

    The caller is in a transaction and holds the judge's row lock: a double click draws nothing twice.
    """
    standing = open_to(workflow, person, practice=False)
    missing = AT_ONCE - len(standing)
    if missing <= 0:
        return standing
    seen = judge.n_answers + len(standing)
    drawn = _draw(workflow, judge, person, settings, network, missing, seen)
    if not drawn:
        return standing
    _show(drawn, person, network)
    return open_to(workflow, person, practice=False)


def why_nothing(*, workflow: Workflow, person: Person) -> str:
    """Why nothing is open to a person.

    "waiting": others hold what is left; "finished": the person has seen all; "none": there was nothing ever.
    """
    real = workflow.subjects.exclude(stratum=Stratum.GOLD)
    left = real.filter(retired_at__isnull=True).filter(~Exists(_answered_by(person)))
    if left.exists():
        return "waiting"
    return "finished" if real.exists() else "none"


def frames_of(picture: str) -> Coalesce:
    """How many images a picture has."""
    frames = Frame.objects.filter(picture=OuterRef(picture)).order_by()
    return Coalesce(Subquery(frames.values("picture").annotate(n=Count("pk")).values("n")), 0)


def _is_practice(practice: bool) -> Q:
    """Known pictures of the test, or all others."""
    if practice:
        return Q(subject__gold__is_practice=True)
    return Q(subject__gold__isnull=True) | Q(subject__gold__is_practice=False)


def _answered_by(person: Person) -> QuerySet[Showing]:
    return Showing.objects.filter(
        subject=OuterRef("pk"), participant__in=person.pks, answered_at__isnull=False
    )


def _renewed(workflow: Workflow, found: list[Showing]) -> list[Showing]:
    """Those that are the person's now; others may have taken the place of what has expired."""
    now = timezone.now()
    if all(showing.expires_at > now + EXPIRES / 2 for showing in found):
        return found
    gone = [showing.subject_id for showing in found if showing.expires_at <= now]
    free = set(_with_room(gone, ground_of(workflow))) if gone else set()
    kept = [showing for showing in found if showing.expires_at > now or showing.subject_id in free]
    for showing in kept:
        showing.expires_at = now + EXPIRES
    Showing.objects.bulk_update(kept, ["expires_at"])
    return kept


def _draw(
    workflow: Workflow,
    judge: Judge,
    person: Person,
    settings: TriageSettings,
    network: str,
    missing: int,
    seen: int,
) -> list[tuple[int, bool]]:
    """So many subjects, each with whether its answer is told at once."""
    ground = ground_of(workflow)
    found = sample(
        workflow=workflow,
        person=person,
        network=network if person.is_anonymous else "",
        start=random.random(),
    )
    gold = [one for one in found if one.stratum == Stratum.GOLD]
    usual = [
        one for one in found if one.stratum != Stratum.GOLD and one.has_room(ground) and one.is_usual(ground)
    ]
    queue = most_telling([one for one in usual if one.stratum == Stratum.QUEUE], judge, ground)
    audit = [one for one in usual if one.stratum == Stratum.AUDIT]
    wanted = [one.pk for one in (*queue[: missing + SPARE], *audit[: missing + SPARE])]
    room = set(_with_room(wanted, ground))
    queued, audited = ([one.pk for one in some if one.pk in room] for some in (queue, audit))
    if len(queued) + len(audited) < missing:
        # The sample had too little: look at all, since these may be the last there are.
        others = anywhere(workflow, person, ground, [*queued, *audited], missing + SPARE)
        queued += _with_room(others, ground)
    drawn: list[tuple[int, bool]] = []
    while len(drawn) < missing and (queued or audited):
        if gold and random.random() < gold_share(seen + len(drawn)):
            known = _balanced(gold)
            gold.remove(known)
            is_told = bool(known.with_feedback) and random.random() < settings.feedback_share
            drawn.append((known.pk, is_told))
            continue
        wants_audit = random.random() < settings.audit_share
        line = audited if audited and (wants_audit or not queued) else queued
        drawn.append((line.pop(0), False))
    return drawn


def _balanced(gold: Sequence[Candidate]) -> Candidate:
    """A known picture: as often with a crater as without, and then as often a look-alike as a blank."""
    kinds: dict[str, list[Candidate]] = {}
    for one in gold:
        kinds.setdefault(one.kind, []).append(one)
    without = [kind for kind in ("blank", "look-alike") if kind in kinds]
    has_crater = "crater" in kinds and (not without or random.random() < 0.5)
    return random.choice(kinds["crater" if has_crater else random.choice(without)])


def _with_room(subjects: Sequence[int], ground: Ground) -> list[int]:
    """Those of the subjects, in their order, that may have another showing; their rows stay locked.

    What others write at this moment is passed over. The count comes after the lock, in a statement of its
    own, so that two hand-outs never both see the last place free.
    """
    locked = {
        row.pk: row
        for row in Subject.objects.filter(pk__in=subjects, retired_at__isnull=True)
        .order_by("pk")
        .select_for_update(skip_locked=True, no_key=True)
        .only("pk", "n_votes", "wanted", "stratum")
    }
    held = Counter(
        Showing.objects.filter(
            subject__in=[pk for pk, row in locked.items() if row.stratum != Stratum.GOLD],
            answered_at__isnull=True,
            expires_at__gt=timezone.now(),
        ).values_list("subject", flat=True)
    )
    most = ground.rule.max_votes
    return [
        pk
        for pk in subjects
        if (row := locked.get(pk))
        and (row.stratum == Stratum.GOLD or row.n_votes + held[pk] < max(most, row.wanted))
    ]


def _show(drawn: Sequence[tuple[int, bool]], person: Person, network: str) -> None:
    expires_at = timezone.now() + EXPIRES
    Showing.objects.bulk_create(
        Showing(
            subject_id=subject,
            participant=person.participant,
            with_feedback=is_told,
            expires_at=expires_at,
            network=network if person.is_anonymous else "",
        )
        for subject, is_told in drawn
    )
