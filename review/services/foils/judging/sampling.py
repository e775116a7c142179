"""Which open pictures somebody has not seen: a few dozen from a random place on, or any at all.

The first costs the same with a hundred pictures and with a million, however many the person has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from mlcore.consensus.answers.swap import expected_information
from review.models import Gold, Judge, Showing, Subject, Workflow
from review.services.foils.ground import Ground
from review.services.foils.judging.selves import Person

# So many open pictures from a random place on are looked at for the best.
SAMPLE = 48
# Of a subject's answers at most this share from one network; the last pictures there are are free of it.
NETWORK_SHARE = 0.25

Stratum = Subject.Stratum


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


def sample(*, workflow: Workflow, person: Person, network: str, start: float) -> list[Candidate]:
    """Open pictures that the person has not seen: of each stratum the first ones from a random place on.

    One statement for all strata, on the index by place; each part stops after SAMPLE rows, whatever there is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SAMPLE_SQL,
            {
                "start": start,
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


def most_telling(candidates: Sequence[Candidate], judge: Judge, ground: Ground) -> list[Candidate]:
    """Those first of which the person's answer should tell most; as they come where it tells nothing yet."""
    skill = judge.skill(ground.population)
    return sorted(candidates, key=lambda one: (-expected_information(skill, one.log_odds), one.place))


def anywhere(workflow: Workflow, person: Person, ground: Ground, but: Sequence[int], most: int) -> list[int]:
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
