"""Who works: rows that workers and beat write of themselves, so that the page need not ask each of them."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from review.models import Worker

# One that was killed and started again need not be shown twice for long, nor a machine that is gone for ever.
REPLACED_AFTER = timedelta(seconds=60)
FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """What a worker or beat is from its start to its end."""

    kind: str
    name: str
    host: str
    pid: int
    queues: tuple[str, ...] = ()
    concurrency: int = 0
    versions: dict[str, str] | None = None


def register(who: Identity) -> Worker:
    """A row for one start."""
    return Worker.objects.create(
        kind=who.kind,
        name=who.name,
        host=who.host,
        pid=who.pid,
        queues=sorted(who.queues),
        concurrency=who.concurrency,
        versions=who.versions or {},
    )


def heartbeat(worker: Worker, *, busy: list[dict[str, object]], gpus: list[dict[str, object]] | None) -> bool:
    """Say that it lives and what it does; False where its row is gone and it has to register again."""
    _tidy(worker)
    return bool(Worker.objects.filter(pk=worker.pk).update(seen_at=Now(), busy=busy, gpus=gpus))


def sign_off(worker: Worker) -> None:
    """It ends properly: nobody has to look for it."""
    Worker.objects.filter(pk=worker.pk).delete()


def _tidy(worker: Worker) -> None:
    replaced = Q(name=worker.name, host=worker.host, seen_at__lt=Now() - REPLACED_AFTER)
    Worker.objects.exclude(pk=worker.pk).filter(replaced | Q(seen_at__lt=Now() - FORGOTTEN_AFTER)).delete()
