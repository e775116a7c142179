"""A training and its prediction on a site, something killed in each: what `runs.faults` repeats.

Imported only once Django is set up; see runs_faults.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db import connection
from django.urls import reverse

from annotate.services.participants import participant_of
from benchmarks.rig import outcomes
from benchmarks.rig.ground import Ground
from benchmarks.rig.inside import until_rows
from benchmarks.rig.people import Person
from benchmarks.rig.site import LEARNING, Site
from benchmarks.rig.waiting import until
from benchmarks.rig.watching import Watcher
from mlcore import api
from mlcore.events import EVENTS_FILE
from review import tasks
from review.models import ModelVersion, Run
from review.services import registry, runs

# Who ends the attempt with them; the others leave it alone.
ENDS_ATTEMPT = ("worker-gpu", LEARNING)
# At which share of the undisturbed duration it is killed.
EARLIEST, LATEST = 0.05, 0.8
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Kill:
    """What was killed and what came of it.

    Attributes:
        what: A component of the site, or "learning".
        verb: Of the run that was under way.
        after_s: Seconds after the run was claimed.
        stage: What the run's row said then.
        true_s: Until the run's page said what is so.
        recovery_s: Until the run was at work again, or the component that it does not need was back.
    """

    what: str
    verb: str
    after_s: float
    stage: str
    true_s: float
    recovery_s: float


@dataclass
class Cycle:
    """A training and its prediction.

    Attributes:
        left: What has to be the same in every cycle.
        took_s: By verb, from the claim to the end.
        attempts: Of both.
        is_single: Whether every window was done, once, and every feature and point of a curve is there once.
        kills: In it.
    """

    left: dict[str, object] = field(default_factory=dict)
    took_s: dict[str, float] = field(default_factory=dict)
    attempts: int = 0
    is_single: bool = True
    kills: list[Kill] = field(default_factory=list)


class Bench:
    """Does the same work again and again on one site.

    Args:
        site: All of it.
        place: What is trained on and searched.
        settings: Of the training.
        dice: Draw the moments.
    """

    def __init__(self, site: Site, place: Ground, settings: Mapping[str, object], dice: Random) -> None:
        self.site, self.place, self.settings, self.dice = site, place, settings, dice
        self.lead = Person.signed_in(place.lead, site)

    def cycle(self, kills: Mapping[str, str], peace: Cycle | None = None) -> Cycle:
        """Train and predict.

        Args:
            kills: By verb, what is killed.
            peace: The undisturbed cycle, which says how long each takes.
        """
        made = Cycle()
        training = self.place.ask_for_training(**self.settings)
        self._see_through(training, made, kills.get("train"), peace)
        version = ModelVersion.objects.get(run=training)
        predicting = registry.promote(version=version, by=participant_of(self.place.lead))
        self._see_through(predicting, made, kills.get("predict"), peace)
        windows = outcomes.windows_of(predicting)
        made.is_single &= all(state == "done" for _, state, _, _ in windows)
        made.is_single &= outcomes.features_of(predicting) == outcomes.features_due(predicting)
        made.left = {
            "weights": outcomes.weights_sha256(version),
            "metrics": [version.card[name] for name in ("metrics", "threshold", "calibration")],
            "windows": [(index, found) for index, _, _, found in windows],
            "features": outcomes.features_of(predicting),
        }
        return made

    def _see_through(self, run: Run, made: Cycle, victim: str | None, peace: Cycle | None) -> None:
        """Enqueue a run, kill something in the middle, and wait for its end."""
        before: list[outcomes.Row] = []
        with Watcher(self.lead, reverse("review:api_run", args=[run.uid])) as watcher:
            tasks.enqueue(run)
            claimed_at = self._until(run, "has been claimed", lambda: run.attempt > 0)
            if victim and peace:
                after_s = peace.took_s[run.verb] * self.dice.uniform(EARLIEST, LATEST)
                time.sleep(max(0.0, claimed_at + after_s - time.monotonic()))
                run.refresh_from_db()
                before = [row for row in outcomes.windows_of(run) if row[1] == "done"]
                made.kills.append(self._kill(run, victim, after_s, watcher))
            ended_at = self._until(run, "has ended", lambda: run.state not in Run.ACTIVE)
        if run.state != Run.State.FINISHED:
            raise AssertionError(f"{run} has {run.state}: {run.error}\n{self.site.last_words()}")
        made.took_s[run.verb] = ended_at - claimed_at
        made.attempts += run.attempt
        rows = outcomes.windows_of(run)
        made.is_single &= all(rows[row[0]] == row for row in before) and not outcomes.told_twice(run)

    def _kill(self, run: Run, victim: str, after_s: float, watcher: Watcher) -> Kill:
        stage, attempt = run.stage, run.attempt
        self.site.kill(victim)
        killed_at = time.monotonic()
        connection.close()  # cut, where it was PostgreSQL

        def is_true(page: dict[str, Any]) -> bool:
            ended = page["state"] not in Run.ACTIVE
            if victim in ENDS_ATTEMPT:
                return (
                    ended or page["attempt"] > attempt or page["state"] == "queued" or bool(page["trouble"])
                )
            return ended or (page["state"] == "running" and not page["trouble"])

        true_s = until(
            f"the page is true after {victim} was killed",
            lambda: watcher.first(killed_at, is_true),
            patience_s=PATIENCE_S,
            explain=self.site.last_words,
        )
        if victim in ENDS_ATTEMPT:
            back = self._until(
                run, "goes on", lambda: run.state not in Run.ACTIVE or is_at_work(run, attempt + 1)
            )
        else:
            self.site.wait_until_up(victim)
            back = time.monotonic()
        return Kill(victim, run.verb, after_s, stage, true_s, back - killed_at)

    def _until(self, run: Run, what: str, is_so: Callable[[], bool]) -> float:
        """The moment at which something is so of the run's row."""

        def ask() -> bool:
            run.refresh_from_db()
            return is_so()

        until_rows(f"{run} {what}", ask, self.site, patience_s=PATIENCE_S, pause_s=0.05)
        return time.monotonic()


def is_at_work(run: Run, attempt: int) -> bool:
    """Whether an attempt's learning process has learnt, measured or searched something."""
    folder = runs.folder_of(run).parent / str(attempt)
    events = [e for file in folder.glob(f"**/{EVENTS_FILE}") for e in api.read_events(file.parent)[0]]
    return any(e["kind"] in ("window", "metric", "done") or e.get("fraction", 0.0) > 0 for e in events)
