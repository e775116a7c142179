"""Background work of review. A task takes a primary key and calls one service; what that leaves to be done
is enqueued here, on commit.
"""

import os
import socket

from celery import shared_task
from celery.app.task import Task
from django.conf import settings

from review.models import PictureImport, Run
from review.services import reaper, searching, training
from review.services.foils import errands, work
from review.services.foils.intake import intake, reading
from review.services.foils.results import reckoning

# A backstop behind the follower's own limit, which ends the run in words.
LONGEST_RUN_S = settings.RUN_LIMIT_S + 24 * 3600
# So many workers may share one prediction; those who find no window left return at once.
PREDICTION_HELPERS = 4
LONGEST_ERRAND_S = 6 * 3600


def worker_name() -> str:
    """Who works here, as the run page shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


@shared_task(time_limit=LONGEST_RUN_S)
def train_task(run_pk: int) -> None:
    for following in training.execute(run_pk, worker_name()):
        enqueue(following)


@shared_task(time_limit=LONGEST_RUN_S)
def predict_task(run_pk: int) -> None:
    for following in searching.execute(run_pk, worker_name()):
        enqueue(following)


@shared_task(soft_time_limit=25, time_limit=30)
def requeue_runs_task() -> None:
    for run in reaper.requeue():
        enqueue(run)


@shared_task(soft_time_limit=LONGEST_ERRAND_S, time_limit=LONGEST_ERRAND_S + 60)
def errand_task(errand_pk: int) -> None:
    work.execute(errand_pk)


@shared_task(soft_time_limit=25, time_limit=30)
def requeue_errands_task() -> None:
    for errand in errands.requeue():
        errand_task.delay_on_commit(errand.pk)


# Longer than a slice of reading, and than unpacking the largest archive.
LONGEST_INTAKE_S = 6 * 3600


@shared_task(soft_time_limit=LONGEST_INTAKE_S, time_limit=LONGEST_INTAKE_S + 60)
def look_through_pictures_task(batch_pk: int) -> None:
    intake.look_through(batch_pk, worker_name())


@shared_task(soft_time_limit=LONGEST_INTAKE_S, time_limit=LONGEST_INTAKE_S + 60)
def read_pictures_task(batch_pk: int) -> None:
    if reading.read(batch_pk, worker_name()):
        read_pictures_task.delay_on_commit(batch_pk)


@shared_task(soft_time_limit=25, time_limit=30)
def tend_pictures_task() -> None:
    for batch in intake.tend():
        enqueue_pictures(batch)


def enqueue_pictures(batch: PictureImport) -> None:
    """Send a batch that waits to the workers: to be looked through, or read."""
    is_listed = batch.state != PictureImport.State.LISTING
    (read_pictures_task if is_listed else look_through_pictures_task).delay_on_commit(batch.pk)


@shared_task(soft_time_limit=25, time_limit=30)
def reckon_nightly_task() -> None:
    """Each triage that has answers, as errands of their own: one that fails does not keep the others."""
    for errand in reckoning.ask_nightly():
        errand_task.delay_on_commit(errand.pk)


def enqueue(run: Run) -> None:
    """Send a queued run to the workers once the transaction is committed."""
    task: Task = train_task if run.verb == Run.Verb.TRAIN else predict_task
    copies = 1 if run.verb == Run.Verb.TRAIN else PREDICTION_HELPERS
    for _ in range(copies):
        task.delay_on_commit(run.pk)
