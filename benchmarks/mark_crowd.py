"""People who draw, as a process of its own: `python -m benchmarks.mark_crowd PLAN.json`, then a JSON line.

Each has a session, thinks for about a second before each act, and goes round: a tile, some marks, "searched",
the next tile; now and then a tile is given back. Some marks are sent twice on purpose, one after the other or
at the same moment, as a browser does whose answer got lost.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx

MARKS_PER_TILE = 4
# Of the tiles, so many are given back; of the marks, so many are sent again.
GIVEN_BACK, SENT_AGAIN = 0.25, 0.1
TRIES = 4
JSON = {"Content-Type": "application/json"}


@dataclass
class Told:
    """What the crowd was told by the server, and how long that took, seen from here."""

    latencies_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    broken: int = 0

    def note(self, act: str, begun: float, answer: httpx.Response, *wanted: int) -> bool:
        self.latencies_ms[act].append((time.perf_counter() - begun) * 1000)
        if answer.status_code in wanted:
            return True
        self.wrong[f"{act} {answer.status_code} {answer.text[:80]}"] += 1
        return False


class Person:
    """One of them."""

    def __init__(self, number: int, plan: dict[str, object], client: httpx.AsyncClient, told: Told) -> None:
        self.told, self.client = told, client
        self.random = Random(1000 * int(plan["seed"]) + number)
        self.next_path, self.thought_s = plan["next"], plan["thought_s"]
        self.visit: dict[str, object] | None = None
        self.end = 0.0

    async def work(self, seconds: float) -> None:
        """Until the time is over."""
        self.end = time.perf_counter() + seconds
        await asyncio.sleep(self.random.random() * self.thought_s)
        while time.perf_counter() < self.end:
            await self._ask("next", self.next_path, {}, 200)
            if self.visit is None:
                return
            for _mark in range(MARKS_PER_TILE):
                await self._draw()
            await self._finish()

    async def _thought(self) -> bool:
        """A second or so; False where the time is over."""
        await asyncio.sleep(self.thought_s * (0.5 + self.random.random()))
        return time.perf_counter() < self.end

    async def _ask(
        self, act: str, path: object, body: dict[str, object], *wanted: int
    ) -> httpx.Response | None:
        begun = time.perf_counter()
        for attempt in range(TRIES):
            try:
                answer = await self.client.post(str(path), content=json.dumps(body))
                break
            except httpx.TransportError as error:
                # As a browser: a connection that the server has just closed is no answer, so it asks again.
                self.told.broken += 1
                if attempt + 1 == TRIES:
                    self.told.wrong[f"{act} {type(error).__name__}"] += 1
                    return None
        if not self.told.note(act, begun, answer, *wanted):
            return None
        if act == "next":
            self.visit = answer.json()["visit"]
        return answer

    async def _draw(self) -> None:
        if not await self._thought() or self.visit is None:
            return
        west, south, east, north = self.visit["tile"]["bounds_lonlat"]
        body = {
            "uid": str(uuid4()),
            "lon": west + (east - west) * self.random.uniform(0.1, 0.9),
            "lat": south + (north - south) * self.random.uniform(0.1, 0.9),
            "diameter_m": self.random.uniform(300.0, 3000.0),
            "view": {"zoom": 3},
        }
        path = f"/api/v1/visits/{self.visit['uid']}/marks"
        times = 1 if self.random.random() > SENT_AGAIN else 2
        self.told.repeats += times - 1
        if times == 2 and self.random.random() < 0.5:
            answers = await asyncio.gather(*(self._ask("mark", path, body, 200, 201) for _ in range(2)))
        else:
            answers = [await self._ask("mark", path, body, 200, 201) for _ in range(times)]
        if any(answer is not None for answer in answers):
            self.told.acknowledged.append(body["uid"])
        said = {answer.text for answer in answers if answer is not None}
        if len(said) > 1:
            self.told.wrong["the same mark was answered in two ways"] += 1

    async def _finish(self) -> None:
        if not await self._thought() or self.visit is None:
            return
        there = f"/api/v1/visits/{self.visit['uid']}"
        if self.random.random() < GIVEN_BACK:
            await self._ask("return", f"{there}/return", {"reason": "too dark"}, 200)
        else:
            await self._ask("submit", f"{there}/submit", {"empty": False}, 200)
        await self._thought()


async def _crowd(plan: dict[str, object]) -> dict[str, object]:
    told = Told()
    limits = httpx.Limits(max_connections=2, max_keepalive_connections=2)
    clients = [
        httpx.AsyncClient(
            base_url=plan["address"],
            cookies={"sessionid": one["session"], "csrftoken": plan["csrf"]},
            headers={**JSON, "X-CSRFToken": plan["csrf"], "X-Participant": one["participant"]},
            limits=limits,
            timeout=60.0,
        )
        for one in plan["people"]
    ]
    begun = time.perf_counter()
    people = [Person(number, plan, client, told) for number, client in enumerate(clients)]
    await asyncio.gather(*(person.work(plan["seconds"]) for person in people))
    wall_s = time.perf_counter() - begun
    for client in clients:
        await client.aclose()
    return {
        "latencies_ms": told.latencies_ms,
        "acknowledged": told.acknowledged,
        "wrong": told.wrong,
        "repeats": told.repeats,
        "broken": told.broken,
        "wall_s": wall_s,
    }


if __name__ == "__main__":
    found = asyncio.run(_crowd(json.loads(Path(sys.argv[1]).read_text())))
    print(json.dumps(found))
