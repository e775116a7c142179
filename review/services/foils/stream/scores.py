"""Scores of pictures from a file: copied in as they stream, matched in one statement, reported in numbers."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO
from uuid import uuid4

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils.translation import gettext as _

from annotate.models import Campaign, Participant
from annotate.services.names import clean_label
from annotate.services.storage import check_size, file_of, size_of, store
from mlcore.errors import InvalidInput, TektiteError
from mlcore.formats.foil_scores import BadScore, ScoreRow, read_scores
from review.models import Errand, Picture, ScoreImport, Subject
from review.services.foils.errands import Progress
from review.services.foils.named_rows import Problem, with_problems
from review.services.foils.pictures import IS_SURVEY
from review.services.foils.stream import giving, score_calibration, stream
from review.services.foils.stream.run_report import RunReport

# Up to this a file is read while its sender waits: about a second.
SMALL_BYTES = 1_000_000

State = ScoreImport.State


@dataclass
class Report:
    """What became of a file's rows."""

    n_rows: int = 0
    n_taken: int = 0
    n_without: int = 0
    unreadable: Problem = field(default_factory=Problem)
    out_of_range: Problem = field(default_factory=Problem)
    unknown: Problem = field(default_factory=Problem)
    several: Problem = field(default_factory=Problem)
    twice: Problem = field(default_factory=Problem)

    def sentences(self) -> list[tuple[str, list[str]]]:
        """Each thing to know, with its examples; nothing of what did not happen."""
        told = [
            (
                _("%(taken)s of %(rows)s rows gave a picture its score.")
                % {"taken": f"{self.n_taken:,}", "rows": f"{self.n_rows:,}"},
                [],
            )
        ]
        for problem, words in (
            (
                self.unknown,
                _("Rows that name no picture of this campaign’s survey: %s. Check names, or name by hash."),
            ),
            (self.several, _("Rows that name several pictures of one name: %s. Name these by their hash.")),
            (
                self.twice,
                _("Rows that name a picture which an earlier row has scored: %s. The first counts."),
            ),
            (self.out_of_range, _("Rows left out, with a score outside 0 to 1: %s.")),
            (self.unreadable, _("Rows that could not be read: %s.")),
        ):
            if problem.n:
                told.append((words % f"{problem.n:,}", problem.examples))
        if self.n_without:
            told.append(
                (_("Pictures without a score: %s. People see them all.") % f"{self.n_without:,}", []),
            )
        return told


def report_of(one: ScoreImport) -> Report | RunReport | None:
    """The report of a file that has been read, or of a run that has scored."""
    if one.state != State.DONE:
        return None
    if of_run := RunReport.of(one.report):
        return of_run
    kinds = ("unreadable", "out_of_range", "unknown", "several", "twice")
    return Report(**with_problems(one.report, kinds))


def take_in(
    *,
    campaign: Campaign,
    requested_by: Participant | None,
    is_calibrated: bool,
    upload: UploadedFile | None = None,
    path: Path | None = None,
) -> ScoreImport:
    """Keep a file of scores to be read: uploaded, or a file of the server's.

    Raises:
        InvalidInput: There is no such file, it is empty or too large.
        NoRoom: The disk has no room for it.
    """
    given = str(upload.name) if upload is not None else str(path)
    file_name = clean_label(PurePath(given).name) or "scores.csv"
    check_size(file_name, (upload.size or 0) if upload is not None else size_of(path))
    uid = uuid4()
    kept = f"foil-scores/{uid}"
    target = file_of(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        store(target, path, upload)
        with target.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return ScoreImport.objects.create(
            uid=uid,
            campaign=campaign,
            requested_by=requested_by,
            file_name=file_name,
            path=kept,
            sha256=sha256,
            is_calibrated=is_calibrated,
        )
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def is_small(one: ScoreImport) -> bool:
    """Whether it can be read while somebody waits."""
    return size_of(file_of(one.path)) <= SMALL_BYTES


def read(pk: int) -> bool:
    """Give the campaign's pictures the scores of a waiting file, all at once or none; whether it did.

    A refusal is kept on the row in words; a file that has been read, or that another worker reads, is left.
    """
    try:
        with transaction.atomic():
            one = (
                ScoreImport.objects.select_for_update(skip_locked=True, of=("self",))
                .filter(pk=pk, state__in=(State.QUEUED, State.READING))
                .first()
            )
            if one is None:
                return False
            giving.alone(one.campaign)
            with file_of(one.path).open("rb") as stream:
                report = _apply(one, stream)
            one.report, one.state, kept, one.path = asdict(report), State.DONE, one.path, ""
            one.save()
            score_calibration.refresh(one.campaign, is_calibrated=one.is_calibrated)
    except (TektiteError, OSError) as error:
        words = error.message if isinstance(error, TektiteError) else _("The file is no longer on the disk.")
        ScoreImport.objects.filter(pk=pk).update(state=State.FAILED, error=words)
        return False
    file_of(kept).unlink(missing_ok=True)
    return True


def work(errand: Errand, tell: Progress) -> dict[str, object]:
    """The errand of reading a file; the queue is filled with what it says."""
    one = ScoreImport.objects.get(pk=errand.question["scores"])
    read(one.pk)
    one.refresh_from_db()
    if one.state == State.FAILED:
        raise InvalidInput(one.error)
    return {"new": stream.fill(workflow=errand.workflow)}


def _apply(one: ScoreImport, stream: BinaryIO) -> Report:
    report = Report()
    with connection.cursor() as cursor:
        # Whoever reads several files in one transaction has them still.
        cursor.execute("DROP TABLE IF EXISTS incoming_score, matched_score")
        cursor.execute(
            "CREATE TEMPORARY TABLE incoming_score (line bigint, name text, sha256 text, score float8) "
            "ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming_score (line, name, sha256, score) FROM STDIN") as copy:
            for row in _good(stream, report):
                copy.write_row((row.line, row.name, row.sha256, row.score))
        cursor.execute("ANALYZE incoming_score")
        cursor.execute(_MATCH, {"campaign": one.campaign_id})
        for problem, condition in (
            (report.unknown, "picture_id IS NULL"),
            (report.several, "n_named > 1"),
            (report.twice, "n_named = 1 AND place > 1"),
        ):
            problem.find(cursor, "matched_score", condition)
        giving.begin(cursor)
        cursor.execute(
            "INSERT INTO given_score SELECT picture_id, score FROM matched_score "
            "WHERE n_named = 1 AND place = 1"
        )
        report.n_taken = giving.give(cursor, one, is_whole=False)
    unscored = Picture.objects.survey().filter(campaign=one.campaign, score_raw__isnull=True)
    report.n_without = unscored.exclude(subjects__stratum=Subject.Stratum.GOLD).count()
    return report


def _good(stream: BinaryIO, report: Report) -> Iterator[ScoreRow]:
    for row in read_scores(stream):
        report.n_rows += 1
        if isinstance(row, BadScore):
            (report.out_of_range if row.code == "out_of_range" else report.unreadable).add(row.reason)
        else:
            yield row


_MATCH = f"""
CREATE TEMPORARY TABLE matched_score ON COMMIT DROP AS
SELECT line, called, score, picture_id, count(picture_id) OVER (PARTITION BY line) AS n_named,
       row_number() OVER (PARTITION BY picture_id ORDER BY line) AS place
FROM (
    SELECT i.line, i.name AS called, i.score, p.id AS picture_id
    FROM incoming_score i LEFT JOIN review_picture p ON p.campaign_id = %(campaign)s AND {IS_SURVEY}
        AND p.name = i.name
    WHERE i.sha256 = ''
    UNION ALL
    SELECT i.line, i.sha256, i.score, p.id
    FROM incoming_score i LEFT JOIN review_picture p ON p.campaign_id = %(campaign)s AND {IS_SURVEY}
        AND p.sha256 = i.sha256
    WHERE i.sha256 <> ''
) AS named
"""
