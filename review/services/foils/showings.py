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
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from mlcore.consensus.answers.swap import expected_information
from mlcore.simulate.triage import gold_share
from review.models import Frame, Gold, Judge, Showing, Subject, Workflow
from review.services.foils.ground import Ground, ground_of
from review.services.foils.selves import Person
from review.services.foils.settings import TriageSettings

AT_ONCE = 3
EXPIRES = timedelta(minutes=10)
# Taking back reopens some besides; of what has expired and is taken by others not all is looked at.
MOST_OPEN = 30
# So many open pictures from a random place on are looked at for the best.
SAMPLE = 48
# Besides what is wanted, so many more are locked, since others may take them in this moment.
SPARE = 4
# Of a subject's answers at most this share from one network; the last pictures there are are free of it.
NETWORK_SHARE = 0.25

Stratum = Subject.Stratum
random = SystemRandom()


@dataclass(frozen=True)
class Candidate:
    """An open picture that the person has not seen."""

    pk: int
    stratum: str
    place: float
    log_odds: float
    taken: int
    wanted: int
    from_network: int
    is_crater: bool | None
    origin: str | None
    with_feedback: bool | None

    def has_room(self, ground: Ground) -> bool:
        return self.taken < max(ground.rule.max_votes, self.wanted)

    def is_usual(self, ground: Ground) -> bool:
        """Whether not too many of its answers are from the person's own network."""
        return self.from_network < max(1, int(NETWORK_SHARE * ground.rule.max_votes))

    @property
    def kind(self) -> str:
        """Of a known picture: what it shows."""
        return (
            "crater" if self.is_crater else "look-alike" if self.origin == Gold.Origin.LOOK_ALIKE else "blank"
        )


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
    found = _sample(workflow, person, network if person.is_anonymous else "")
    gold = [one for one in found if one.stratum == Stratum.GOLD]
    usual = [
        one for one in found if one.stratum != Stratum.GOLD and one.has_room(ground) and one.is_usual(ground)
    ]
    queue = _most_telling([one for one in usual if one.stratum == Stratum.QUEUE], judge, ground)
    audit = [one for one in usual if one.stratum == Stratum.AUDIT]
    wanted = [one.pk for one in (*queue[: missing + SPARE], *audit[: missing + SPARE])]
    room = set(_with_room(wanted, ground))
    queued, audited = ([one.pk for one in some if one.pk in room] for some in (queue, audit))
    if len(queued) + len(audited) < missing:
        # The sample had too little: look at all, since these may be the last there are.
        others = _anywhere(workflow, person, ground, [*queued, *audited], missing + SPARE)
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


def _sample(workflow: Workflow, person: Person, network: str) -> list[Candidate]:
    """Open pictures that the person has not seen: of each stratum the first ones from a random place on.

    One statement for all strata, on the index by place; each part stops after SAMPLE rows, whatever there is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SAMPLE_SQL,
            {
                "start": random.random(),
                "now": timezone.now(),
                "network": network,
                "workflow": workflow.pk,
                "most": SAMPLE,
                "selves": person.pks,
            },
        )
        return [Candidate(*row) for row in cursor.fetchall()]


# Written so that PostgreSQL looks known pictures up one by one: it would rather read all of them first.
_OPEN_OF_PART = """
    id, stratum, place, log_odds, n_votes, wanted FROM review_subject
    WHERE workflow_id = %(workflow)s AND stratum = part.stratum
        AND retired_at IS NULL AND picture_id IS NOT NULL
        AND (part.stratum <> 'gold' OR (
            SELECT NOT is_practice AND withdrawn_at IS NULL FROM review_gold
            WHERE subject_id = review_subject.id
        ))
"""
_SAMPLE_SQL = f"""
    SELECT s.id, s.stratum, s.place, s.log_odds,
        CASE WHEN s.stratum = 'gold' THEN 0 ELSE s.n_votes + (
            SELECT count(*) FROM review_showing o
            WHERE o.subject_id = s.id AND o.answered_at IS NULL AND o.expires_at > %(now)s
        ) END,
        s.wanted,
        CASE WHEN s.stratum = 'gold' OR %(network)s = '' THEN 0 ELSE (
            SELECT count(*) FROM review_showing n WHERE n.subject_id = s.id AND n.network = %(network)s
        ) END,
        g.is_crater, g.origin, g.with_feedback
    FROM (VALUES ('gold'), ('queue'), ('audit')) AS part (stratum)
    CROSS JOIN LATERAL (
        (SELECT {_OPEN_OF_PART} AND place >= %(start)s ORDER BY place LIMIT %(most)s)
        UNION ALL
        (SELECT {_OPEN_OF_PART} AND place < %(start)s ORDER BY place LIMIT %(most)s)
        LIMIT %(most)s
    ) AS s
    LEFT JOIN LATERAL (
        SELECT is_crater, origin, with_feedback FROM review_gold WHERE subject_id = s.id OFFSET 0
    ) AS g ON true
    WHERE NOT EXISTS (
        SELECT FROM review_showing mine WHERE mine.subject_id = s.id AND mine.participant_id = ANY(%(selves)s)
    )
"""


def _most_telling(candidates: Sequence[Candidate], judge: Judge, ground: Ground) -> list[Candidate]:
    """Those first of which the person's answer should tell most; as they come where it tells nothing yet."""
    skill = judge.skill(ground.population)
    return sorted(candidates, key=lambda one: (-expected_information(skill, one.log_odds), one.place))


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


def _anywhere(workflow: Workflow, person: Person, ground: Ground, but: Sequence[int], most: int) -> list[int]:
    """Open pictures that the person has not seen, wherever they are, but for some."""
    held = Showing.objects.filter(
        subject=OuterRef("pk"), answered_at__isnull=True, expires_at__gt=timezone.now()
    ).order_by()
    mine = Showing.objects.filter(subject=OuterRef("pk"), participant__in=person.pks)
    return list(
        Subject.objects.filter(
            workflow=workflow,
            stratum__in=(Stratum.QUEUE, Stratum.AUDIT),
            retired_at__isnull=True,
            picture__isnull=False,
        )
        .filter(~Exists(mine))
        .exclude(pk__in=but)
        .alias(held=Coalesce(Subquery(held.values("subject").annotate(n=Count("pk")).values("n")), 0))
        .filter(Q(n_votes__lt=Greatest(F("wanted"), ground.rule.max_votes) - F("held")))
        .values_list("pk", flat=True)[:most]
    )


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
