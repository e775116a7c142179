"""The windows of a scoring: ranges of pictures' keys, planned, worked on and brought together by statements.

What came back is kept with each window and given to the pictures all at once, in the transaction that ends
the run: scores, calibration, queue and audit change together or not at all.
"""

from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from mlcore import api
from mlcore.errors import InvalidInput
from review.models import Run, RunWindow, ScoreImport
from review.services import runs
from review.services.foils import settings as triage_settings
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.rules import rules
from review.services.foils.stream import giving, score_calibration, stream
from review.services.foils.stream.run_report import MOST_NAMED, RunReport
from review.services.search import Found, Search
from review.services.versions import artifact_of
from review.services.windows import Claim

# Some seconds of work: little is lost with a worker, and a run of 424,000 pictures has 829 rows.
WINDOW_PICTURES = 512
# So many names of unreadable files are in the log; the stream page has more.
LOGGED = 5
# Of a run's config: only pictures that have no score.
ONLY_NEW = "only_new"

# Which of the pictures `p` a run is to score.
_WANTED = f"p.campaign_id = %(campaign)s AND {IS_SURVEY} AND (NOT %(only_new)s OR p.score_raw IS NULL)"

_PLAN = f"""
INSERT INTO review_runwindow (run_id, index, "window", state, claimed_by, setbacks)
SELECT %(run)s, number, jsonb_build_object('first', min(id), 'last', max(id), 'pictures', count(*)),
    'pending', '', 0
FROM (
    SELECT p.id, (row_number() OVER (ORDER BY p.id) - 1) / %(size)s AS number
    FROM review_picture p WHERE {_WANTED}
) AS numbered
GROUP BY number
"""

_OF_RUN = f"""
FROM review_runwindow w
JOIN review_picture p ON p.id BETWEEN (w."window"->>'first')::bigint AND (w."window"->>'last')::bigint
    AND {_WANTED}
"""

# A picture without a frame has no path and cannot be read.
_CLAIMED = f"""
SELECT w.index, p.id, array_agg(f.path ORDER BY f.number) FILTER (WHERE f.path IS NOT NULL)
{_OF_RUN} LEFT JOIN review_frame f ON f.picture_id = p.id
WHERE w.run_id = %(run)s AND w.claim = %(claim)s
GROUP BY w.index, p.id ORDER BY w.index, p.id
"""

_GIVEN = f"""
INSERT INTO given_score (picture_id, score)
SELECT p.id, said.score
FROM review_runwindow w, jsonb_to_recordset(w.detections) AS said (picture bigint, score float8),
    review_picture p
WHERE w.run_id = %(run)s AND p.id = said.picture AND {_WANTED}
"""

_UNREADABLE = f"""
CREATE TEMPORARY TABLE unreadable ON COMMIT DROP AS
SELECT p.id, p.name {_OF_RUN}
WHERE w.run_id = %(run)s AND NOT EXISTS (SELECT 1 FROM given_score g WHERE g.picture_id = p.id)
"""

_CAME_SINCE = f"""
SELECT count(*) FROM review_picture p
WHERE p.campaign_id = %(campaign)s AND {IS_SURVEY} AND p.score_raw IS NULL
    AND NOT EXISTS (SELECT 1 FROM unreadable u WHERE u.id = p.id)
"""


def _given(run: Run) -> dict[str, object]:
    return {
        "run": run.pk,
        "campaign": run.campaign_id,
        "only_new": bool(run.config.get(ONLY_NEW)),
        "size": WINDOW_PICTURES,
    }


def plan(run: Run) -> int:
    """Write the run's windows, in one statement however many pictures there are; how many windows."""
    with connection.cursor() as cursor:
        cursor.execute(_PLAN, _given(run))
        return int(cursor.rowcount)


def _job(claim: Claim) -> api.Job:
    run, media = claim.run, Path(settings.MEDIA_ROOT)
    pictures: dict[int, list[list[object]]] = {window.index: [] for window in claim.windows}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMED, _given(run) | {"claim": claim.uid})
        for index, picture, paths in cursor:
            pictures[index].append([picture, [str(media / path) for path in paths or ()]])
    folder: Path = runs.folder_of(run) / f"batch-{claim.windows[0].index}-{uuid4().hex[:8]}"
    return api.ScoreJob(
        artifact_dir=str(artifact_of(run.model_version)),
        windows=[api.PictureWindow(index, keyed) for index, keyed in pictures.items()],
        out_dir=str(folder),
        threshold=triage_settings.of(rules.workflow_of(run.campaign)).threshold,
    )


def _checked(window: RunWindow, found: Found) -> Found:
    """A score from 0 to 1 of pictures of the window, each once; of those that cannot be read none."""
    seen: set[object] = set()
    for one in found:
        picture, score = one.get("picture"), one.get("score")
        is_its_own = isinstance(picture, int) and window.window["first"] <= picture <= window.window["last"]
        is_score = isinstance(score, int | float) and 0.0 <= score <= 1.0
        if not is_its_own or not is_score or picture in seen:
            raise InvalidInput(
                _(
                    "The network gave %(what)s in window %(index)d, and not a score from 0 to 1 of one of "
                    "its pictures; nothing of it was kept. Look at the log, and train the version again."
                )
                % {"what": str(one)[:100], "index": window.index}
            )
        seen.add(picture)
    return found


def _progress(run: Run) -> tuple[float, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum((\"window\"->>'pictures')::int) FILTER (WHERE state = 'done'), 0), "
            "sum((\"window\"->>'pictures')::int) FROM review_runwindow WHERE run_id = %s",
            [run.pk],
        )
        done, total = cursor.fetchone()
    words = {"done": f"{done:,}", "total": f"{total:,}"}
    return done / total, _("%(done)s of %(total)s pictures scored") % words


def _publish(run: Run) -> dict[str, object]:
    """Give the pictures their scores, and bring calibration, queue and audit into line with them."""
    only_new = bool(run.config.get(ONLY_NEW))
    giving.alone(run.campaign)
    if only_new:
        giving.check_same_version(run.campaign, run.model_version)
    one = ScoreImport(campaign=run.campaign, run=run, requested_by=run.requested_by)
    with connection.cursor() as cursor:
        giving.begin(cursor)
        cursor.execute(_GIVEN, _given(run))
        cursor.execute(_UNREADABLE, _given(run))
        n_scored = giving.give(cursor, one, is_whole=not only_new)
        cursor.execute("SELECT count(*) FROM unreadable")
        (n_unreadable,) = cursor.fetchone()
        cursor.execute("SELECT name FROM unreadable ORDER BY id LIMIT %s", [MOST_NAMED])
        names = [name for (name,) in cursor.fetchall()]
        cursor.execute(_CAME_SINCE, _given(run))
        (n_came_since,) = cursor.fetchone()
        cursor.execute("DROP TABLE unreadable")
    report = RunReport(n_scored, n_unreadable, names, n_came_since, only_new)
    one.report, one.state = vars(report), ScoreImport.State.DONE
    one.save()
    score_calibration.refresh(run.campaign, is_calibrated=False)
    n_new = stream.fill(workflow=rules.workflow_of(run.campaign))
    for sentence, names in report.sentences():
        runs.log(run, f"{sentence} {', '.join(names[:LOGGED])}".strip())
    runs.log(run, _("%s pictures are new in the queue.") % f"{n_new:,}")
    return {}


SEARCH = Search(
    job=_job,
    checked=_checked,
    progress=_progress,
    closing=lambda: _("Giving the pictures their scores"),
    publish=_publish,
    # 100 MB of names of files and of scores for 424,000 pictures.
    keeps_folders=False,
)
