"""What an operator watches: who works, what waits, how much room is left, and what is not as it should be."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Basemap
from annotate.services.disk import Disk, disk_of, in_words
from review.models import Run, Worker
from review.models.worker import HEARD_WITHIN
from review.services import installation, queues

FAILED_LATELY = timedelta(days=7)
BACKUP_WITHIN = timedelta(days=2)
MOST_SHOWN = 10
# {task name: (model, verb)}: what its argument is the key of.
RUN_TASKS = frozenset({"review.tasks.train_task", "review.tasks.predict_task"})
BASEMAP_TASK = "annotate.tasks.convert_basemap_task"
GPU_QUEUE = "gpu"
COMMANDS = {
    "default": "celery --app webapp worker --queues default --concurrency 4 --hostname default@%h",
    GPU_QUEUE: (
        "celery --app webapp worker --queues gpu --concurrency 1 --prefetch-multiplier 1 --hostname gpu@%h"
    ),
    "beat": "celery --app webapp beat",
}


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it should be: what, what comes of it, and what mends it."""

    sentence: str
    command: str = ""
    is_grave: bool = True


@dataclass(frozen=True)
class Task:
    """What a worker is at."""

    name: str
    since: datetime | None
    run: Run | None = None
    basemap: Basemap | None = None


@dataclass(frozen=True)
class WorkerShown:
    """A worker or beat, as the page shows it."""

    worker: Worker
    silent_s: float
    tasks: list[Task]

    @property
    def is_heard(self) -> bool:
        return self.silent_s <= HEARD_WITHIN.total_seconds()


@dataclass(frozen=True)
class QueueShown:
    """A queue; `length` is None where the broker does not say."""

    name: str
    length: int | None
    served_by: int


@dataclass(frozen=True)
class Watched:
    """Everything on the page, read at one moment."""

    workers: list[WorkerShown]
    queues: list[QueueShown]
    waiting: list[Run]
    held: list[Run]
    failed: list[Run]
    conversions: list[Basemap]
    media: Disk
    database: Disk | None
    database_bytes: int
    backup: installation.Backup | None
    versions: dict[str, str]
    at: datetime = field(default_factory=timezone.now)

    @property
    def troubles(self) -> list[Trouble]:
        """The gravest first."""
        found = [*_silence(self), *_room(self), *_neglect(self)]
        return sorted(found, key=lambda trouble: not trouble.is_grave)


def watched() -> Watched:
    """The state of the site now."""
    runs = Run.objects.select_related("campaign")
    lengths = queues.lengths() or {}
    workers = _workers()
    heard = [shown.worker for shown in workers if shown.is_heard]
    folder = installation.database_folder()
    return Watched(
        workers=workers,
        queues=[
            QueueShown(name, lengths.get(name), sum(name in worker.queues for worker in heard))
            for name in queues.names()
        ],
        waiting=list(runs.filter(state=Run.State.QUEUED).order_by("queued_at")[:MOST_SHOWN]),
        held=list(runs.filter(state__in=Run.ACTIVE).exclude(state=Run.State.QUEUED).order_by("started_at")),
        failed=_lately(runs.filter(state=Run.State.FAILED)),
        conversions=_conversions(),
        media=disk_of(),
        database=disk_of(folder) if folder else None,
        database_bytes=installation.database_bytes(),
        backup=installation.last_backup(),
        versions=installation.versions(),
    )


def _workers() -> list[WorkerShown]:
    silent = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
    rows = list(Worker.objects.annotate(silent=silent).order_by("kind", "name", "-started_at"))
    busy = [task for row in rows for task in row.busy]
    runs = Run.objects.select_related("campaign").in_bulk(_arguments(busy, RUN_TASKS))
    basemaps = Basemap.objects.in_bulk(_arguments(busy, {BASEMAP_TASK}))
    return [
        WorkerShown(
            row, max(0.0, row.silent.total_seconds()), [_task(told, runs, basemaps) for told in row.busy]
        )
        for row in rows
    ]


def _arguments(busy: list[dict[str, object]], names: frozenset[str] | set[str]) -> set[object]:
    return {task["argument"] for task in busy if task["task"] in names}


def _task(told: dict[str, object], runs: dict[int, Run], basemaps: dict[int, Basemap]) -> Task:
    name, argument, since = str(told["task"]), told["argument"], told["since"]
    return Task(
        name=name.rpartition(".")[2],
        since=datetime.fromtimestamp(float(since), UTC) if since else None,
        run=runs.get(argument) if name in RUN_TASKS else None,
        basemap=basemaps.get(argument) if name == BASEMAP_TASK else None,
    )


def _lately(runs: QuerySet[Run]) -> list[Run]:
    recent = runs.filter(finished_at__gte=timezone.now() - FAILED_LATELY)
    return list(recent.order_by("-finished_at")[:MOST_SHOWN])


def _conversions() -> list[Basemap]:
    """Those that wait, are under way or have failed; latest first."""
    unfinished = Basemap.objects.exclude(state=Basemap.State.READY)
    return list(unfinished.order_by("-created_at")[:MOST_SHOWN])


def _silence(seen: Watched) -> list[Trouble]:
    """Who is missing."""
    found = []
    if any(queue.length is None for queue in seen.queues):
        found.append(
            Trouble(_("Redis does not answer: nothing can be begun. Start it, or correct CELERY_BROKER_URL."))
        )
    for queue in seen.queues:
        if not queue.served_by:
            sentence = _("No worker serves the queue “%(name)s”: what is sent there waits. Start one:")
            found.append(Trouble(sentence % {"name": queue.name}, COMMANDS.get(queue.name, "")))
    heard = [shown.worker for shown in seen.workers if shown.is_heard]
    beats = [worker for worker in heard if worker.kind == Worker.Kind.BEAT]
    if not beats:
        sentence = _("Beat is not heard of: lost runs are not begun again, due tiles not settled. Start it:")
        found.append(Trouble(sentence, COMMANDS["beat"]))
    elif len(beats) > 1:
        sentence = _("%(n)d beats run, and one is enough: what is periodic is done more often than needed.")
        found.append(Trouble(sentence % {"n": len(beats)}, is_grave=False))
    return found


def _room(seen: Watched) -> list[Trouble]:
    """Which disk is nearly full."""
    found = []
    places = [(_("The disk of MEDIA_ROOT"), seen.media)]
    if seen.database:
        places.append((_("The disk of the database"), seen.database))
    for name, disk in places:
        if disk.is_nearly_full:
            sentence = _(
                "%(disk)s has %(free)s left and %(reserve)s are to stay free (MIN_FREE_BYTES): uploads, "
                "conversions, trainings and predictions are refused. Make room, or give it a larger one."
            )
            words = {"free": in_words(disk.free_bytes), "reserve": in_words(disk.reserve_bytes)}
            found.append(Trouble(sentence % {"disk": name, **words}))
    return found


def _neglect(seen: Watched) -> list[Trouble]:
    """What nobody has looked after."""
    found = []
    if seen.backup is None:
        found.append(
            Trouble(_("No backup is known of (BACKUP_STAMP). Make one:"), "bin/backup", is_grave=False)
        )
    elif seen.at - seen.backup.at > BACKUP_WITHIN:
        sentence = _("The last backup is %(n)d days old. Make one now and every night:")
        days = (seen.at - seen.backup.at).days
        found.append(Trouble(sentence % {"n": days}, "bin/backup", is_grave=False))
    ours = seen.versions["Tektite"]
    for shown in seen.workers:
        theirs = shown.worker.versions.get("tektite", ours)
        if shown.is_heard and theirs != ours:
            sentence = _("%(name)s runs Tektite %(theirs)s and this page %(ours)s: restart it.")
            words = {"name": shown.worker.name, "theirs": theirs, "ours": ours}
            found.append(Trouble(sentence % words, is_grave=False))
    if installation.mail_goes_nowhere() and not settings.INSECURE_HTTP:
        found.append(
            Trouble(
                _("Mails only go to the log: nobody can reset a password. Set EMAIL_BACKEND and its server."),
                is_grave=False,
            )
        )
    return found
