"""People who look for craters, as a process of its own: `python -m benchmarks.foil_crowd PLAN.json`.

Each answers picture after picture as the page does: three showings are held, the oldest is on the screen,
and the image of a new one is fetched as soon as it is known. Some answers are sent twice, one after the
other, at the same moment, or once more much later, as by a browser whose connection broke; some pictures are
answered in two tabs at once; now and then somebody takes their last answer back. Ends with a JSON line.
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

# Of the answers, so many are sent again at once, sent again much later, given in two tabs, taken back.
AGAIN, MUCH_LATER, TWO_TABS, BACK = 0.1, 0.03, 0.02, 0.03
CALLED, CANNOT_TELL = 0.12, 0.03
TRIES = 4
JSON = {"Content-Type": "application/json"}
CSRF_COOKIE = "csrftoken"


@dataclass
class Told:
    """What the crowd was told by the server, and how long that took, seen from here."""

    latencies_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    # [uid, showing, number of the person]
    acknowledged: list[tuple[str, str, int]] = field(default_factory=list)
    shown: list[tuple[str, int]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)


class Person:
    """One of them."""

    def __init__(self, number: int, plan: dict[str, object], client: httpx.AsyncClient, told: Told) -> None:
        self.number, self.plan, self.client, self.told = number, plan, client, told
        self.random = Random(1000 * int(plan["seed"]) + number)
        self.path, self.thought_s = str(plan["path"]), float(plan["thought_s"])
        self.open: list[dict[str, object]] = []
        self.known: set[str] = set()
        self.answered: set[str] = set()
        self.last: tuple[dict[str, object], httpx.Response] | None = None
        self.reason: str | None = None
        self.end = 0.0

    async def work(self, seconds: float) -> None:
        """Until the time is over, or there is nothing left."""
        self.end = time.perf_counter() + seconds
        await asyncio.sleep(self.random.random() * self.thought_s)
        while time.perf_counter() < self.end:
            if not self.open:
                await self._ask_for_more()
                if self.reason in ("finished", "none"):
                    self.told.reasons[str(self.reason)] += 1
                    return
            if self.open and await self._thought():
                await self._judge()
            elif not self.open:
                # Others hold what is left.
                await asyncio.sleep(0.5)

    async def start(self) -> None:
        """Agree to the text."""
        state = await self.client.get(self.path + "state")
        body = {"consent": state.json()["consent"]["edition"]}
        await self._ask("start", "start", body, 200)

    async def _thought(self) -> bool:
        """A look at the picture; False where the time is over."""
        await asyncio.sleep(self.thought_s * (0.5 + self.random.random()))
        return time.perf_counter() < self.end

    async def _ask(self, act: str, path: str, body: dict[str, object], *wanted: int) -> httpx.Response | None:
        for attempt in range(TRIES):
            begun = time.perf_counter()
            try:
                answer = await self.client.post(
                    self.path + path, content=json.dumps(body), headers=self._headers()
                )
                break
            except httpx.TransportError as error:
                # As a browser: a connection that the server has just closed is no answer, so it asks again.
                self.told.done["connections lost"] += 1
                if attempt + 1 == TRIES:
                    self.told.wrong[f"{act} {type(error).__name__}"] += 1
                    return None
        self.told.latencies_ms[act].append((time.perf_counter() - begun) * 1000)
        if answer.status_code in wanted:
            return answer
        self.told.wrong[f"{act} {answer.status_code} {answer.text[:120]}"] += 1
        return None

    def _headers(self) -> dict[str, str]:
        return {**JSON, "X-CSRFToken": self.client.cookies.get(CSRF_COOKIE) or ""}

    async def _ask_for_more(self) -> None:
        answer = await self._ask("next", "next", {}, 200)
        if answer is not None:
            await self._take_in(answer.json())

    async def _take_in(self, told: dict[str, object]) -> None:
        """Hold what is open, and fetch the images that are new."""
        self.open, self.reason = list(told["showings"]), told["reason"]
        for showing in self.open:
            if showing["uid"] in self.answered:
                self.told.wrong["a showing that was answered came again"] += 1
        await asyncio.gather(*(self._fetch(s) for s in self.open if s["uid"] not in self.known))

    async def _fetch(self, showing: dict[str, object]) -> None:
        self.known.add(str(showing["uid"]))
        self.told.shown.append((str(showing["uid"]), self.number))
        begun = time.perf_counter()
        try:
            answer = await self.client.get(showing["frames"][0]["url"])
        except httpx.TransportError:
            self.told.done["images lost"] += 1
            return
        self.told.latencies_ms["image"].append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200 or answer.headers["content-type"] != "image/jpeg":
            self.told.wrong[f"image {answer.status_code}"] += 1

    async def _judge(self) -> None:
        showing, dice = self.open[0], self.random.random()
        body = self._said(showing)
        if dice < TWO_TABS:
            bodies = [body, self._said(showing)]
        elif dice < TWO_TABS + AGAIN:
            bodies = [body, body]
            self.told.done["sent again at once"] += 1
        else:
            bodies = [body]
        if self.random.random() < 0.5:
            answers = await asyncio.gather(*(self._answer(one) for one in bodies))
        else:
            answers = [await self._answer(one) for one in bodies]
        self._hear(bodies, answers)
        got = [answer for answer in answers if answer is not None and answer.status_code != 409]
        if got:
            self.answered.add(str(showing["uid"]))
            await self._take_in(got[-1].json())
        await self._look_back()

    def _said(self, showing: dict[str, object]) -> dict[str, object]:
        """What somebody says of a picture; the truth does not matter here."""
        dice, marks = self.random.random(), []
        answer = "crater" if dice < CALLED else "cannot_tell" if dice < CALLED + CANNOT_TELL else "nothing"
        if answer == "crater":
            x_px = self.random.uniform(1, float(showing["width_px"]) - 1)
            marks = [
                {"x_px": round(x_px, 1), "y_px": self.random.uniform(1, float(showing["height_px"]) - 1)}
            ]
        return {
            "uid": str(uuid4()),
            "showing": showing["uid"],
            "answer": answer,
            "marks": marks,
            "duration_ms": round(1000 * self.thought_s),
        }

    async def _answer(self, body: dict[str, object]) -> httpx.Response | None:
        # 409: in the other tab the truth was told meanwhile, so that this one may change nothing.
        return await self._ask("answer", "answers", body, 200, 201, 409)

    def _hear(self, bodies: list[dict[str, object]], answers: list[httpx.Response | None]) -> None:
        said: dict[str, set[str]] = defaultdict(set)
        for body, answer in zip(bodies, answers, strict=True):
            if answer is None:
                continue
            if answer.status_code == 409:
                self.told.done["refused since the truth was told"] += 1
                if bodies[0] is bodies[-1]:
                    self.told.wrong[f"the same answer was refused: {answer.text[:120]}"] += 1
                continue
            stored = answer.json()["classification"]
            said[str(body["uid"])].add(json.dumps(stored, sort_keys=True))
            self.told.acknowledged.append((stored["uid"], stored["showing"], self.number))
            if (stored["uid"], stored["answer"]) != (body["uid"], body["answer"]):
                self.told.wrong["another answer was acknowledged than was sent"] += 1
            self.last = (body, answer)
        if any(len(ways) > 1 for ways in said.values()):
            self.told.wrong["the same answer was acknowledged in two ways"] += 1

    async def _look_back(self) -> None:
        dice = self.random.random()
        if dice < BACK:
            answer = await self._ask("back", "back", {}, 200, 409)
            if answer is not None and answer.status_code == 200:
                self.told.done["taken back"] += 1
                self.answered.discard(answer.json()["showing"]["uid"])
                await self._ask_for_more()
        elif dice < BACK + MUCH_LATER and self.last is not None:
            body, first = self.last
            await asyncio.sleep(2 * self.thought_s)
            again = await self._answer(body)
            self.told.done["sent again later"] += 1
            if again is None or again.status_code == 409:
                self.told.wrong["an answer sent again later was refused"] += 1
            elif again.json()["classification"] != first.json()["classification"]:
                self.told.wrong["an answer sent again later was acknowledged in another way"] += 1


def _jar(cookies: dict[str, str], address: object) -> httpx.Cookies:
    """Of that server, so that what it sets anew replaces them."""
    jar = httpx.Cookies()
    for name, value in cookies.items():
        jar.set(name, value, domain=httpx.URL(str(address)).host)
    return jar


async def _crowd(plan: dict[str, object]) -> dict[str, object]:
    told = Told()
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=4)
    clients = [
        httpx.AsyncClient(
            base_url=plan["address"], cookies=_jar(cookies, plan["address"]), limits=limits, timeout=60.0
        )
        for cookies in plan["cookies"]
    ]
    people = [Person(number, plan, client, told) for number, client in enumerate(clients)]
    begun = time.perf_counter()
    if plan["do"] == "start":
        await asyncio.gather(*(person.start() for person in people))
    else:
        await asyncio.gather(*(person.work(float(plan["seconds"])) for person in people))
    wall_s = time.perf_counter() - begun
    cookies = [{cookie.name: cookie.value for cookie in client.cookies.jar} for client in clients]
    for client in clients:
        await client.aclose()
    return {**vars(told), "wall_s": wall_s, "cookies": cookies}


if __name__ == "__main__":
    found = asyncio.run(_crowd(json.loads(Path(sys.argv[1]).read_text())))
    print(json.dumps(found))
