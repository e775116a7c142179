"""A triage filled as months would fill it: pictures, subjects, known ones, people and their answers, by COPY.

Imported only once Django is set up. People and images come from mlcore/simulate/judges.py; the pictures share
a few files, since what is measured is the queue and not the disk.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from annotate.models import Campaign, Participant, User
from annotate.services.campaigns import create_foil_campaign
from annotate.services.participants import participant_of
from mlcore.consensus.answers.skill import Answer, Skill
from mlcore.consensus.answers.stopping import outcomes
from mlcore.consensus.answers.swap import evidence
from mlcore.simulate.judges import CrowdParameters, Images, make_images, make_people
from review.models import Judge, Workflow
from review.services.foils import pictures
from review.services.foils.rules import rules

EDGE_PX, FILES, N_PEOPLE = 512, 12, 500
AUDIT_SHARE, GOLD_SHARE, CANNOT_TELL_SHARE = 0.1, 0.12, 0.02
# Nobody has seen nearly all there is.
MOST_OF_ALL = 0.9
ANSWERS = ("nothing", "crater", "cannot_tell")
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TAIL = b"\xff\xff"
_CHUNK = 100_000

_PICTURES = """
    INSERT INTO review_picture (uid, campaign_id, name, foil, x_um, y_um, nm_per_px, width_px, height_px,
        sha256, side, purpose, synthetic, created_at)
    SELECT gen_random_uuid(), %s, 'foil-' || n || '.tif', 'F1', n, n, 50, %s, %s,
        md5(n::text) || md5((-n)::text), 'train', 'survey', true, now()
    FROM generate_series(1, %s) n
"""
_FRAMES = """
    WITH real AS (
        SELECT f.*, row_number() OVER (ORDER BY f.id) - 1 AS which
        FROM review_frame f JOIN review_picture p ON p.id = f.picture_id WHERE p.campaign_id = %s
    )
    INSERT INTO review_frame (picture_id, number, sha256, bits, path, shown_path, thumbnail_path)
    SELECT p.id, 0, p.sha256, 8, real.path, real.shown_path, real.thumbnail_path
    FROM review_picture p JOIN real ON real.which = p.id %% %s
    WHERE p.campaign_id = %s AND p.name LIKE 'foil-%%'
"""
_SUBJECTS = """
    INSERT INTO review_subject (uid, workflow_id, picture_id, stratum, priority, why, wanted, n_answers,
        retired_because, outcome, prior_log_odds, log_odds, n_votes, n_cannot_tell, n_practised, created_at)
    SELECT gen_random_uuid(), %s, p.id, ('{queue,audit,gold}'::text[])[priors.stratum], 0, '', 1, 0,
        '', '', odds, odds, 0, 0, 0, now()
    FROM priors JOIN review_picture p ON p.campaign_id = %s AND p.name = 'foil-' || number || '.tif'
    ORDER BY number
"""
_GOLD = """
    INSERT INTO review_gold (subject_id, origin, is_crater, places, made_by, is_practice, with_feedback,
        created_at)
    SELECT %s + n - 1, 'synthetic', (%s::bool[])[n],
        CASE WHEN (%s::bool[])[n] THEN '[{"x_px": 256, "y_px": 256, "diameter_um": 1}]'::jsonb ELSE '[]' END,
        '{}', false, n %% 2 = 0, now()
    FROM generate_series(1, %s) n
"""
_SHOWN = """
    INSERT INTO review_showing (uid, subject_id, participant_id, round, with_feedback, created_at,
        answered_at, expires_at, network)
    SELECT gen_random_uuid(), subject, person, 0, false, now() - interval '1 day', now() - interval '1 day',
        now() - interval '1 day', ''
    FROM said
    ON CONFLICT DO NOTHING
"""
_SAID = """
    INSERT INTO review_classification (uid, workflow_id, subject_id, participant_id, round, edit, answer,
        reason, payload, as_reviewer, feedback_shown, duration_ms, created_at)
    SELECT gen_random_uuid(), %s, subject, person, 0, 0, (%s::text[])[answer], '',
        CASE answer WHEN 2 THEN jsonb_build_object('marks', jsonb_build_array(
            jsonb_build_object('x_px', x_px, 'y_px', x_px))) ELSE '{}' END,
        false, false, duration_ms, now() - interval '1 day'
    FROM said
    ON CONFLICT DO NOTHING
"""
_STOCK = """
    CREATE TEMP TABLE stock (subject bigint, n_answers bigint, n_votes bigint, n_cannot_tell bigint,
        n_practised bigint, evidence float8, kind bigint)
"""
_TALLIES = """
    UPDATE review_subject s SET n_answers = stock.n_answers, n_votes = stock.n_votes,
        n_cannot_tell = stock.n_cannot_tell, n_practised = stock.n_practised,
        log_odds = s.prior_log_odds + stock.evidence, outcome = kind.name,
        retired_at = CASE kind.name WHEN '' THEN NULL ELSE now() END,
        rule_id = CASE kind.name WHEN '' THEN NULL ELSE %s END
    FROM stock JOIN unnest(%s::text[]) WITH ORDINALITY AS kind (name, number) ON number = stock.kind
    WHERE s.id = stock.subject AND stock.n_answers > s.n_answers
"""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Log:
    """Who answered what, in the order of time.

    Attributes:
        subject: Shape (n,): 0 … subjects - 1; the known ones come first.
        person: Shape (n,): 0 … N_PEOPLE - 1; 0 is who did most.
        answer: Shape (n,): index in ANSWERS.
    """

    subject: Ints
    person: Ints
    answer: Ints

    def __getitem__(self, rows: slice | NDArray[np.bool_]) -> Self:
        return type(self)(self.subject[rows], self.person[rows], self.answer[rows])


@dataclass(frozen=True)
class Filled:
    """A triage in the database.

    Attributes:
        workflow: Of it.
        lead: Who made it.
        first: The keys of subject 0 and of participant 0; the others follow without a gap.
        images: What the subjects show.
        n_gold: So many of the subjects are known.
    """

    workflow: Workflow
    lead: User
    first: tuple[int, int]
    images: Images
    n_gold: int


def fill(name: str, n_subjects: int, n_gold: int, *, seed: int) -> Filled:
    """A public campaign with its subjects and people, and no answer yet."""
    lead = User.objects.create_user(name)
    campaign = create_foil_campaign(
        name=f"Synthetic {name}",
        created_by=participant_of(lead),
        visibility=Campaign.Visibility.PUBLIC,
        synthetic=True,
    )
    workflow = rules.workflow_of(campaign)
    images = make_images(CrowdParameters(n_images=n_subjects), seed)
    _add_files(campaign)
    with connection.cursor() as cursor:
        _add_pictures(cursor, campaign, n_subjects)
        first_subject = _add_subjects(cursor, workflow, images, n_gold)
        _add_gold(cursor, first_subject, images.is_crater[:n_gold])
        first_person = _add_people(cursor, name, workflow)
        cursor.execute("ANALYZE")
    return Filled(workflow, lead, (first_subject, first_person), images, n_gold)


def together(*logs: Log) -> Log:
    """One after the other."""
    columns = ([getattr(log, name) for log in logs] for name in ("subject", "person", "answer"))
    return Log(*(np.concatenate(column) for column in columns))


def make_log(filled: Filled, n: int, *, seed: int) -> Log:
    """So many answers, nobody's twice to a subject, in an order of their own."""
    n_subjects, random = len(filled.images.kind), np.random.default_rng((seed, 11))
    people = make_people(CrowdParameters(n_people=N_PEOPLE), seed)
    subject, person, answer = [], [], []
    for number, which in enumerate(np.argsort(-people.effort)):
        quota = round(min(people.effort[which] * n, MOST_OF_ALL * n_subjects))
        n_known = min(round(GOLD_SHARE * quota), filled.n_gold)
        known = random.choice(filled.n_gold, n_known, replace=False, shuffle=False)
        rest = random.choice(n_subjects - filled.n_gold, quota - n_known, replace=False, shuffle=False)
        seen = np.concatenate([known, filled.n_gold + rest])
        called = random.random(quota) < people.chance_of_calling(filled.images, which)[seen]
        subject.append(seen)
        person.append(np.full(quota, number))
        answer.append(np.where(random.random(quota) < CANNOT_TELL_SHARE, 2, called.astype(int)))
    order = random.permutation(sum(map(len, subject)))
    return Log(*(np.concatenate(column)[order] for column in (subject, person, answer)))


def add_answers(filled: Filled, log: Log, *, with_showings: bool) -> None:
    """Store a piece of the log, as the recording engine would have; what has been answered since stays."""
    subject, person = filled.first
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE said (subject bigint, person bigint, answer int, duration_ms int, x_px float8)"
        )
        random = np.random.default_rng(len(log.subject))
        columns = {
            "subject": log.subject + subject,
            "person": log.person + person,
            "answer": log.answer.astype(np.int32) + 1,
            "duration_ms": np.exp(random.normal(7.8, 0.5, len(log.subject))).astype(np.int32),
            # Whoever sees a known crater clicks where it is.
            "x_px": np.where(
                log.subject < filled.n_gold, EDGE_PX / 2, random.uniform(1, EDGE_PX - 1, len(log.subject))
            ),
        }
        _copy(cursor, "said", columns)
        if with_showings:
            cursor.execute(_SHOWN)
        cursor.execute(_SAID, [filled.workflow.pk, list(ANSWERS)])
        cursor.execute("DROP TABLE said")


def take_stock(filled: Filled, log: Log) -> None:
    """Count people's skill and subjects' tallies and outcomes from the log so far, as the triage keeps them.

    Subjects that have more answers than the log says are left as they are.
    """
    version, n = rules.current(filled.workflow), len(filled.images.kind)
    is_known = log.subject < filled.n_gold
    skills = _skills(log, is_known, filled.images.is_crater)
    _keep(filled, skills, np.bincount(log.person, minlength=N_PEOPLE).tolist())
    steps = np.array([[evidence(skill, Answer(name)) for name in ANSWERS] for skill in skills])
    practised = np.array([skill.known_answers >= version.rule.practised_after for skill in skills])
    told = log[~is_known]

    def sums(weights: NDArray[np.generic] | None = None) -> Ints:
        return np.bincount(told.subject, weights, minlength=n).astype(np.int64)

    tallies = {
        "subject": np.arange(n) + filled.first[0],
        "n_answers": np.bincount(log.subject, minlength=n),
        "n_votes": sums(),
        "n_cannot_tell": sums(told.answer == 2),
        "n_practised": sums(practised[told.person]),
        "evidence": np.bincount(told.subject, steps[told.person, told.answer], minlength=n),
    }
    became = outcomes(
        version.rule,
        log_odds=_priors(filled.images) + tallies["evidence"],
        votes=tallies["n_votes"],
        cannot_tell=tallies["n_cannot_tell"],
        practised=tallies["n_practised"],
    )
    kinds, kind = np.unique(np.append(became, ""), return_inverse=True)
    with connection.cursor() as cursor:
        cursor.execute(_STOCK)
        _copy(cursor, "stock", {**tallies, "kind": kind[:-1].astype(np.int64) + 1})
        cursor.execute(_TALLIES, [version.pk, kinds.tolist()])
        cursor.execute("DROP TABLE stock")
        cursor.execute("VACUUM (ANALYZE)")


def _priors(images: Images) -> NDArray[np.float64]:
    """What a network would say: log-odds of a crater."""
    return images.score - np.log(99.0) - 0.5


def _skills(log: Log, is_known: NDArray[np.bool_], is_crater: NDArray[np.bool_]) -> list[Skill]:
    """What the known subjects say of each person; kept with the judges too."""
    answered = is_known & (log.answer != 2)
    truth, right = is_crater[log.subject], log.answer == is_crater[log.subject]
    counts = [
        np.bincount(log.person, rows, minlength=N_PEOPLE)
        for rows in (answered & truth & right, answered & truth, answered & ~truth & right, answered & ~truth)
    ]
    return [Skill(*row) for row in np.stack(counts, axis=1).tolist()]


def _keep(filled: Filled, skills: list[Skill], n_answers: list[int]) -> None:
    first = filled.first[1]
    judges = list(
        Judge.objects.filter(workflow=filled.workflow, participant__in=range(first, first + N_PEOPLE))
    )
    for judge in judges:
        skill, n = (known[judge.participant_id - first] for known in (skills, n_answers))
        judge.hits, judge.craters = int(skill.hits), int(skill.craters)
        judge.passes, judge.blanks = int(skill.passes), int(skill.blanks)
        judge.n_answers = judge.effort = n
    Judge.objects.bulk_update(
        judges, ["hits", "craters", "passes", "blanks", "n_answers", "effort"], batch_size=100
    )


def _add_files(campaign: Campaign) -> None:
    """A few real files, brushed as rolled aluminium is."""
    random = np.random.default_rng(5)
    for number in range(FILES):
        lines = 110 + 25 * random.normal(size=(EDGE_PX, 1)) + 12 * random.normal(size=(EDGE_PX, EDGE_PX))
        grey = np.clip(lines, 0, 255).astype(np.uint8)
        pictures.add_picture(
            campaign=campaign, name=f"shared-{number}.png", frames=[grey], where=pictures.Where()
        )


def _add_pictures(cursor: object, campaign: Campaign, n: int) -> None:
    """Rows like those of the real files, each under a hash of its own."""
    cursor.execute(_PICTURES, [campaign.pk, EDGE_PX, EDGE_PX, n])
    cursor.execute(_FRAMES, [campaign.pk, FILES, campaign.pk])


def _add_subjects(cursor: object, workflow: Workflow, images: Images, n_gold: int) -> int:
    """One for each picture, the known ones first; the first one's key."""
    n, audit = len(images.kind), np.random.default_rng(7).random(len(images.kind)) < AUDIT_SHARE
    cursor.execute("CREATE TEMP TABLE priors (number bigint, stratum int, odds float8)")
    stratum = np.where(np.arange(n) < n_gold, 3, np.where(audit, 2, 1)).astype(np.int32)
    columns = {"number": np.arange(1, n + 1), "stratum": stratum, "odds": _priors(images)}
    _copy(cursor, "priors", columns)
    cursor.execute(_SUBJECTS, [workflow.pk, workflow.campaign_id])
    cursor.execute("DROP TABLE priors")
    return _first_of(cursor, "review_subject", "workflow_id", workflow.pk)


def _add_gold(cursor: object, first_subject: int, is_crater: NDArray[np.bool_]) -> None:
    cursor.execute(_GOLD, [first_subject, is_crater.tolist(), is_crater.tolist(), len(is_crater)])


def _add_people(cursor: object, name: str, workflow: Workflow) -> int:
    """Participants who have agreed and passed the test; the first one's key."""
    now = datetime.now(UTC)
    people = Participant.objects.bulk_create(
        Participant(pseudonym=f"{name}-{number}") for number in range(N_PEOPLE)
    )
    Judge.objects.bulk_create(
        Judge(workflow=workflow, participant=person, consented_at=now, passed_practice_at=now)
        for person in people
    )
    return people[0].pk


def _first_of(cursor: object, table: str, column: str, value: int) -> int:
    """The least key of some rows whose keys must have no gap."""
    cursor.execute(
        f"SELECT min(id), max(id) - min(id) + 1 = count(*) FROM {table} WHERE {column} = %s", [value]
    )
    first, has_no_gap = cursor.fetchone()
    if not has_no_gap:
        raise RuntimeError(f"The keys of {table} have gaps: somebody else writes there too.")
    return int(first)


def _copy(cursor: object, table: str, columns: dict[str, NDArray[np.generic]]) -> None:
    """PostgreSQL's binary COPY from columns of numbers, in their order."""
    fields: list[tuple[str, str]] = [("n_fields", ">i2")]
    for name, values in columns.items():
        fields += [(f"{name}_bytes", ">i4"), (name, values.dtype.newbyteorder(">").str)]
    n = len(next(iter(columns.values())))
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_COPY_HEAD)
        for begin in range(0, n, _CHUNK):
            rows = np.empty(min(_CHUNK, n - begin), dtype=fields)
            rows["n_fields"] = len(columns)
            for name, values in columns.items():
                rows[f"{name}_bytes"] = values.dtype.itemsize
                rows[name] = values[begin : begin + _CHUNK]
            copy.write(rows.tobytes())
        copy.write(_COPY_TAIL)
