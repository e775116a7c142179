"""Sixty-four people draw at once, and what was acknowledged is stored. Beside it Label Studio, one person."""

import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np

from benchmarks import label_studio
from benchmarks.our_site import cpu_s, database, web_and_worker
from benchmarks.record import FOLDER, VAR, Result
from mlcore.errors import TektiteError

ID = "loop.marks-load"
CLAIM = "Serves 64 people who draw: next tile and mark within 50 ms at p95, every mark stored exactly once."
NEEDS_SERVERS = True
TARGET = (
    "p95 server time of next-tile and of mark POST at most 50 ms each; acknowledged = stored, exactly once"
)

PEOPLE, THOUGHT_S, SEED = 64, 1.0, 3
LIMIT_MS = 50.0
FOLDER_OF_RUN = VAR / "marks_load"
CSRF = "m" * 32
TILE_PX, PIXEL_M = 64, 100.0


@dataclass(frozen=True)
class Size:
    """How much is measured: tiles along an edge, seconds of load, rounds of one person, seconds to warm."""

    tiles_along: int
    seconds: float
    rounds: int
    warm_s: float


FULL, QUICK = Size(100, 120.0, 60, 15.0), Size(40, 10.0, 6, 4.0)


def setup() -> None:
    """Make the peer's environment and its ten thousand tasks."""
    label_studio.setup()


def run(quick: bool) -> Result:
    """The crowd, then one person alone with us, then one person alone with the peer."""
    size, busy = QUICK if quick else FULL, os.getloadavg()[0]
    with ExitStack() as stack:
        stack.enter_context(database("marks_load", FOLDER_OF_RUN))
        campaign, people = _prepare(size.tiles_along)
        port, web = stack.enter_context(web_and_worker(FOLDER_OF_RUN))
        plan = {
            "address": f"http://127.0.0.1:{port}",
            "next": f"/api/v1/campaigns/{campaign}/tiles/next",
            "people": people,
            "csrf": CSRF,
            "thought_s": THOUGHT_S,
            "seconds": size.seconds,
            "seed": SEED,
        }
        # Connections are opened and code is loaded in every process and thread: stored, but not measured.
        first = _load({**plan, "seconds": size.warm_s, "seed": SEED + 1})
        before_s = cpu_s(web)
        told = _load(plan)
        web_s = cpu_s(web) - before_s
        stored = _compare([first, told])
        time.sleep(1.0)
        served = _server_times(FOLDER_OF_RUN / "access.log", told)
        alone = _alone(plan, people[0], size.rounds)
    FOLDER_OF_RUN.mkdir(parents=True, exist_ok=True)
    peer = label_studio.next_and_submit(size.rounds, FOLDER_OF_RUN)
    acts = sum(len(latencies) for latencies in told["latencies_ms"].values())
    quick_enough = all(_p95(served[act]) <= LIMIT_MS for act in ("next", "mark"))
    exact = stored["lost"] == stored["doubled"] == stored["never_acknowledged"] == 0 and not told["wrong"]
    return Result(
        ours={
            "people": PEOPLE,
            "actions_per_s": acts / told["wall_s"],
            "web_cpu_ms_per_action": 1000.0 * web_s / acts,
            **{f"{act}_p95_server_ms": _p95(served[act]) for act in ("next", "mark", "submit")},
            **{f"{act}_p50_server_ms": _p50(served[act]) for act in ("next", "mark", "submit")},
            **{f"{act}_p95_client_ms": _p95(told["latencies_ms"][act]) for act in ("next", "mark", "submit")},
            **stored,
            "sent_again_on_purpose": told["repeats"],
            "sent_again_after_lost_connections": told["broken"],
            "wrong_answers": sum(told["wrong"].values()),
            "one_person": {f"{act}_ms": _p50(alone[act]) for act in alone},
        },
        peer={"name": label_studio.NAME, "people": 1, **{f"{act}_ms": _p50(peer[act]) for act in peer}},
        target=TARGET,
        met=bool(quick_enough and exact),
        seed=SEED,
        note=(
            f"{size.tiles_along**2:,} tiles, {size.seconds:.0f} s, {THOUGHT_S:.0f} s of thought before acts, "
            f"web server and worker as bin/run starts them, PostgreSQL with fsync, all on the same cores; "
            f"a quarter of the tiles given back, so next-tile hands out new ones; one person: medians of "
            f"next and mark (ours), next and submit (peer, {label_studio.TASKS:,} tasks, SQLite), "
            f"{size.rounds} each, seen by the client; load of the machine before: {busy:.1f}"
            + (f"; wrong: {dict(told['wrong'])}" if told["wrong"] else "")
        ),
    )


def _p50(values: Iterable[float]) -> float:
    return float(np.percentile(list(values), 50))


def _p95(values: Iterable[float]) -> float:
    return float(np.percentile(list(values), 95))


def _prepare(tiles_along: int) -> tuple[str, list[dict[str, str]]]:
    """A public campaign made by our own services: its uid, and each person's session and participant."""
    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    call_command("migrate", verbosity=0)
    from annotate.models import User
    from annotate.services import basemaps, campaigns, conversions, members, participants

    lead = participants.participant_of(User.objects.create_user("bench"))
    path = _picture(FOLDER_OF_RUN / "grey.tif", tiles_along * TILE_PX)
    picture = basemaps.add_basemap(name="Grey", body="moon", path=path, kind="image", added_by=lead)
    conversions.convert(picture.pk)
    picture.refresh_from_db()
    campaign = campaigns.create_campaign(
        name="Bench",
        body="moon",
        basemaps=[picture],
        created_by=lead,
        tile_size_px=TILE_PX,
        overlap=0,
        redundancy=3,
        visibility="public",
    )
    people = [User.objects.create_user(f"person-{number}") for number in range(PEOPLE)]
    for person in people:
        members.give_role(campaign=campaign, user=person, role="annotator", by=lead.user)
    return str(campaign.uid), [
        {"session": session_of(person), "participant": str(participants.participant_of(person).uid)}
        for person in people
    ]


def _picture(path: Path, size_px: int) -> Path:
    import rasterio
    from rasterio.transform import from_origin

    rows, columns = np.indices((size_px, size_px))
    grey = ((rows + columns) // 50 % 200 + 20).astype(np.uint8)
    middle = size_px * PIXEL_M / 2
    profile = {
        "driver": "GTiff", "width": size_px, "height": size_px, "count": 1, "dtype": "uint8",
        "crs": "IAU_2015:30110", "transform": from_origin(-middle, middle, PIXEL_M, PIXEL_M),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(grey, 1)
    return path


def session_of(person: object) -> str:
    """The key of a session in which the person is signed in; passwords are not what is measured."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    return str(session.session_key)


def _load(plan: dict[str, object]) -> dict[str, object]:
    file = FOLDER_OF_RUN / "plan.json"
    file.write_text(json.dumps(plan))
    crowd = subprocess.run(
        [sys.executable, "-m", "benchmarks.mark_crowd", str(file)],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        timeout=plan["seconds"] + 120,
    )
    if crowd.returncode:
        raise TektiteError(f"The crowd broke off: {crowd.stderr[-1000:]}")
    return json.loads(crowd.stdout)


def _compare(loads: list[dict[str, object]]) -> dict[str, int]:
    """What the crowd was promised beside what is in the database."""
    from annotate.models import Mark, MarkRevision

    # One person alone draws too, before and after; only the crowd's marks have its zoom.
    rows = Mark.objects.filter(view__zoom=3).values_list("uid", flat=True)
    times = Counter(rows)
    begun = Counter(
        MarkRevision.objects.filter(mark__view__zoom=3, action="create").values_list("mark__uid", flat=True)
    )
    promised = {UUID(uid) for told in loads for uid in told["acknowledged"]}
    return {
        "acknowledged": len(promised),
        "stored": sum(times.values()),
        "lost": len(promised - times.keys()),
        "doubled": sum(n > 1 for n in times.values()) + sum(n > 1 for n in begun.values()),
        "never_acknowledged": len(times.keys() - promised),
    }


def _server_times(log: Path, told: dict[str, object]) -> dict[str, list[float]]:
    """Milliseconds in the server of each kind of act, from its access log; the crowd's own requests only."""
    found: dict[str, list[float]] = defaultdict(list)
    ends = {"/tiles/next": "next", "/marks": "mark", "/submit": "submit", "/return": "return"}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        act = next((name for end, name in ends.items() if entry["path"].endswith(end)), None)
        if act:
            found[act].append(entry["duration_ms"])
    for act, latencies in told["latencies_ms"].items():
        # Those of the warming came first.
        found[act] = found[act][-len(latencies) :]
    return found


def _alone(plan: dict[str, object], person: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """One person without thought: the next tile and one mark on it, so many times; milliseconds of each."""
    taken: dict[str, list[float]] = {"next": [], "mark": []}
    cookies = {"sessionid": person["session"], "csrftoken": CSRF}
    headers = {"X-CSRFToken": CSRF, "X-Participant": person["participant"]}
    with httpx.Client(base_url=plan["address"], cookies=cookies, headers=headers, timeout=60) as client:
        for number in range(rounds):
            begun = time.perf_counter()
            visit = client.post(plan["next"], json={}).raise_for_status().json()["visit"]
            taken["next"].append((time.perf_counter() - begun) * 1000)
            west, south, east, north = visit["tile"]["bounds_lonlat"]
            body = {
                "uid": str(UUID(int=time.time_ns() + number)),
                "lon": (west + east) / 2,
                "lat": (south + north) / 2,
                "diameter_m": 1000.0,
                "view": {},
            }
            begun = time.perf_counter()
            client.post(f"/api/v1/visits/{visit['uid']}/marks", json=body).raise_for_status()
            taken["mark"].append((time.perf_counter() - begun) * 1000)
            client.post(f"/api/v1/visits/{visit['uid']}/return", json={"reason": ""}).raise_for_status()
    return taken
