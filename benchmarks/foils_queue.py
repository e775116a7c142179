"""Sixty-four people judge pictures at once, among 424,000: every answer once, none dearer than the first."""

import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.our_site import cpu_s, database, web_and_worker
from benchmarks.record import FOLDER, VAR, Result
from mlcore.errors import TektiteError

ID = "foils.queue"
CLAIM = (
    "Serves 64 people who judge among 424,000 pictures: each answer stored once, none dearer than the first."
)
NEEDS_SERVERS = True
TARGET = (
    "acknowledged = stored once; no subject twice before a person, none over its limit; an update among a "
    "million answers takes at most 1.5 times one among a thousand; p95 of answer-and-next at most 100 ms"
)

THOUGHT_S, SEED = 2.0, 4
LIMIT_MS, GROWTH = 100.0, 1.5
FEW_ANSWERS = 1000
FOLDER_OF_RUN = VAR / "foils_queue"
CSRF = "f" * 32
ENDS = {"/answers": "answer", "/next": "next", "/back": "back", "/frames/0": "image"}
# Of the counts, those that may only be 0.
NEVER = (
    "lost",
    "doubled",
    "never_acknowledged",
    "forged_showings",
    "subjects_twice_before_a_person",
    "subjects_over_their_limit",
    "tallies_that_differ",
    "judges_that_differ",
)


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        people: In the crowd; half of them are signed in.
        subjects: To be judged, known ones among them.
        known: Of the subjects.
        answers: Before the crowd comes.
        night_answers: Before the nightly account.
        seconds: Of load.
        rush_s: Of load without thought.
        warm_s: Of load that is stored and not timed.
        last: Subjects of the triage that is judged to its end.
        updates: Single updates in each turn, among few answers and among many.
        turns: Of the two, one after the other, so that other work on the machine slows both.
    """

    people: int
    subjects: int
    known: int
    answers: int
    night_answers: int
    seconds: float
    rush_s: float
    warm_s: float
    last: int
    updates: int
    turns: int


FULL = Size(64, 424_000, 4000, 1_000_000, 4_000_000, 120.0, 20.0, 15.0, 60, 50, 12)
QUICK = Size(16, 10_000, 500, 20_000, 50_000, 4.0, 1.0, 1.0, 8, 20, 2)


def run(quick: bool) -> Result:
    """Fill, time single updates, let the crowd come, judge a small triage to its end, and account for all."""
    size, busy = QUICK if quick else FULL, os.getloadavg()[0]
    with database("foils_queue", FOLDER_OF_RUN):
        import django
        from django.core.management import call_command

        # How fast one person may answer is no question here.
        os.environ |= {"FOIL_ANSWERS_PER_MINUTE": "100000", "API_WRITES_PER_MINUTE": "1000000"}
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        call_command("migrate", verbosity=0)
        from benchmarks import foil_checks, foil_fill, foil_updates

        filled = foil_fill.fill("queue", size.subjects, size.known, seed=SEED)
        log = foil_fill.make_log(filled, size.night_answers, seed=SEED)
        foil_fill.add_answers(filled, log[:FEW_ANSWERS], with_showings=True)
        with foil_updates.copied() as copy:
            foil_fill.add_answers(filled, log[FEW_ANSWERS : size.answers], with_showings=True)
            foil_fill.take_stock(filled, log[: size.answers])
            among = foil_updates.times_ms(filled, copy, n=size.updates, turns=size.turns)
        load = _judge_at_once(filled, size)
        rest = foil_checks.untouched(filled, log[size.answers :])
        foil_fill.add_answers(filled, rest, with_showings=False)
        foil_fill.take_stock(filled, foil_fill.together(log[: size.answers], rest))
        night = _night(filled.workflow.pk)
    few, many = (_p50(times) for times in among)
    faults = sum(counts[name] for counts in (load["all"], load["last"]) for name in NEVER)
    exact = not faults and not load["wrong"]
    quick_enough = load["times"]["answer_p95_server_ms"] <= LIMIT_MS
    return Result(
        ours={
            "subjects": size.subjects,
            "people": size.people,
            **load["times"],
            **load["all"],
            "judged_to_the_end": load["last"],
            "did": load["did"],
            "wrong_answers": sum(load["wrong"].values()),
            f"update_among_{FEW_ANSWERS}_ms": few,
            f"update_among_{size.answers}_ms": many,
            "update_grows_by": many / few,
            "nightly": night,
        },
        peer=None,
        target=TARGET,
        met=None if quick else bool(exact and quick_enough and many <= GROWTH * few),
        seed=SEED,
        note=(
            f"Half of the people signed in, the others anonymous; {size.seconds:.0f} s of load with "
            f"{THOUGHT_S:.0f} s of thought before each answer, {size.answers:,} answers stored before, then "
            f"{size.rush_s:.0f} s without thought; each new picture's image of {foil_fill.EDGE_PX} px is "
            "fetched as well. Web server and worker as bin/run starts them, PostgreSQL and the crowd on the "
            "same cores. Judged to the end: as many people and few subjects, until nobody is shown anything "
            "more. Updates: what recording an answer and settling its subject takes by the person with most "
            f"answers, medians of {size.updates * size.turns}, in turns. Synthetic pictures and people; load "
            f"of the machine before: {busy:.1f}"
            + (f"; wrong: {dict(load['wrong'])}" if load["wrong"] else "")
        ),
    )


def _p50(values: Iterable[float]) -> float:
    return float(np.percentile(list(values), 50))


def _p95(values: Iterable[float]) -> float:
    return float(np.percentile(list(values), 95))


def _judge_at_once(filled: Any, size: Size) -> dict[str, Any]:
    """The crowd on the large triage, and on a small one until nothing is left; what it was told, compared."""
    from benchmarks import foil_checks, foil_fill

    small = foil_fill.fill("last", size.last + size.last // 2, size.last // 2, seed=SEED + 1)
    users = _users(size.people // 2)
    with web_and_worker(FOLDER_OF_RUN) as (port, web):
        crowd = _Crowd(f"http://127.0.0.1:{port}", size.people, users)
        crowd.agree(filled.workflow)
        crowd.agree(small.workflow)
        # Connections are opened and code is loaded in every process and thread: stored, but not timed.
        warm = crowd.judge(filled.workflow, size.warm_s)
        before_s = cpu_s(web)
        told = crowd.judge(filled.workflow, size.seconds)
        web_s = cpu_s(web) - before_s
        served = _server_times(told)
        rush = crowd.judge(filled.workflow, size.rush_s, thought_s=0.0)
        last = crowd.judge(small.workflow, 600.0, thought_s=0.1)
    acts = sum(len(latencies) for latencies in told["latencies_ms"].values())
    wrong = Counter[str]()
    for one in (warm, told, rush, last):
        wrong.update(one["wrong"])
    if last["reasons"] != {"finished": size.people}:
        wrong[f"not all have finished: {last['reasons']}"] += 1
    return {
        "times": {
            "answers_per_s": len(told["latencies_ms"]["answer"]) / told["wall_s"],
            "answers_per_s_without_thought": len(rush["latencies_ms"]["answer"]) / rush["wall_s"],
            "web_cpu_ms_per_request": 1000.0 * web_s / acts,
            **{f"{act}_p95_server_ms": _p95(served[act]) for act in ("answer", "image")},
            **{f"{act}_p50_server_ms": _p50(served[act]) for act in ("answer", "image")},
            **{f"{act}_p95_client_ms": _p95(told["latencies_ms"][act]) for act in ("answer", "image")},
        },
        "did": told["done"],
        "all": foil_checks.compare(filled.workflow, [warm, told, rush]),
        "last": foil_checks.compare(small.workflow, [last]),
        "wrong": wrong,
    }


class _Crowd:
    """The same people in one triage after the other.

    Args:
        address: Of the server.
        n: How many.
        sessions: Of those signed in.
    """

    def __init__(self, address: str, n: int, sessions: Sequence[str]) -> None:
        self.address, self.calls = address, 0
        signed_in = [{"sessionid": session, "csrftoken": CSRF} for session in sessions]
        self.cookies: list[dict[str, str]] = [*signed_in, *({} for _ in range(n - len(sessions)))]

    def agree(self, workflow: Any) -> None:
        """All begin; that they have passed the test is written down, since it is not what is measured."""
        from django.utils import timezone

        from review.models import Judge

        self.cookies = self._sent(workflow, "start", 0.0, 0.0)["cookies"]
        Judge.objects.filter(workflow=workflow).update(passed_practice_at=timezone.now())

    def judge(self, workflow: Any, seconds: float, *, thought_s: float = THOUGHT_S) -> dict[str, Any]:
        """What the crowd was told while it judged."""
        return self._sent(workflow, "judge", seconds, thought_s)

    def _sent(self, workflow: Any, verb: str, seconds: float, thought_s: float) -> dict[str, Any]:
        self.calls += 1
        plan = {
            "do": verb,
            "address": self.address,
            "path": f"/api/v1/triage/{workflow.uid}/",
            "cookies": self.cookies,
            "seconds": seconds,
            "thought_s": thought_s,
            "seed": 100 * SEED + self.calls,
        }
        file = FOLDER_OF_RUN / "plan.json"
        file.write_text(json.dumps(plan))
        told = _python("benchmarks.foil_crowd", str(file), patience_s=seconds + 300)
        if verb == "start" and told["wrong"]:
            raise TektiteError(f"The crowd could not begin: {told['wrong']}")
        return told


def _users(n: int) -> list[str]:
    """Sessions of people who are signed in; passwords are not what is measured."""
    from annotate.models import User
    from benchmarks.loop_marks_load import session_of

    return [session_of(User.objects.create_user(f"person-{number}")) for number in range(n)]


def _server_times(told: Mapping[str, Any]) -> dict[str, list[float]]:
    """Milliseconds in the server of each kind of act, from its access log; the latest are the crowd's."""
    # An answer's line may come after the answer.
    time.sleep(1.0)
    found: dict[str, list[float]] = defaultdict(list)
    for line in (FOLDER_OF_RUN / "access.log").read_text().splitlines():
        entry = json.loads(line)
        act = next((name for end, name in ENDS.items() if entry["path"].endswith(end)), None)
        if act:
            found[act].append(entry["duration_ms"])
    return {
        act: found[act][-len(latencies) :] for act, latencies in told["latencies_ms"].items() if act in found
    }


def _night(workflow_pk: int) -> dict[str, Any]:
    """The nightly account in a process of its own: seconds, and the most memory it had."""
    return _python("benchmarks.foil_night", str(workflow_pk), patience_s=1800)


def _python(module: str, argument: str, *, patience_s: float) -> dict[str, Any]:
    """The JSON line that a module ends with."""
    done = subprocess.run(
        [sys.executable, "-m", module, argument],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        timeout=patience_s,
    )
    if done.returncode:
        raise TektiteError(f"{module} broke off: {done.stderr[-1000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
