"""From nothing to the first map tile on a screen: bin/run in a fresh clone, and started again."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.record import FOLDER, Result
from mlcore.errors import TektiteError

ID = "loop.start"
CLAIM = "Starts a second time within 10 seconds, and says what the first start takes and installs."
TARGET = "second start: first map tile on screen within 10 s"

ROOT = FOLDER.parent
AGAIN, QUICK_AGAIN = 3, 1
SECOND_S = 10.0
WHO = "annotator1"
# What bin/bench has set must not reach the bin/run that is measured.
OURS = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DEBUG", "TEKTITE_VAR", "MEDIA_ROOT"}
INSTALLED = (".venv", "node_modules")


@dataclass(frozen=True)
class Start:
    """Seconds from typing bin/run until it says its address, and until the first map tile is seen."""

    said_s: float
    seen_s: float


def setup() -> None:
    """Nothing: installing is what is measured."""


def run(quick: bool) -> Result:
    """One first start in a fresh clone, then several second ones; the quick run borrows what is installed."""
    busy = os.getloadavg()[0]
    caches = {name: _megabytes(Path.home() / path) for name, path in (("pip", ".cache/pip"), ("npm", ".npm"))}
    with _clone() as clone, _browser() as browser:
        if quick:
            for name in INSTALLED:
                (clone / name).symlink_to(ROOT / name)
        first = _start(clone, browser)
        installed = {} if quick else {name: _megabytes(clone / name) for name in INSTALLED}
        state = _megabytes(clone / "var")
        again = [_start(clone, browser) for _ in range(QUICK_AGAIN if quick else AGAIN)]
    second_s = median(start.seen_s for start in again)
    what = "everything installed before" if quick else "nothing installed but Debian's packages"
    cached = ", ".join(f"{name}'s cache held {size:,.0f} MB" for name, size in caches.items())
    return Result(
        ours={
            "first_start_to_address_s": first.said_s,
            "first_start_to_tile_s": first.seen_s,
            "second_start_to_address_s": median(start.said_s for start in again),
            "second_start_to_tile_s": second_s,
            "second_starts_s": [min(start.seen_s for start in again), max(start.seen_s for start in again)],
            **{f"{name.strip('.')}_mb": size for name, size in installed.items()},
            "var_mb": state,
        },
        peer=None,
        target=TARGET,
        met=second_s < SECOND_S,
        note=(
            f"First start: {what}; with the synthetic demonstration; {cached}. The tile is seen by headless "
            f"Chromium, signed in as {WHO}, on the label page; signing in counts. Second start: middle of "
            f"{len(again)}. Load of the machine before: {busy:.1f} on {os.cpu_count()} cores, after: "
            f"{os.getloadavg()[0]:.1f}"
        ),
    )


@contextmanager
def _clone() -> Iterator[Path]:
    """The present commit, in a folder that the database's user may enter too."""
    folder = Path(tempfile.mkdtemp(prefix="tektite-start-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        clone = folder / "tektite"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
        yield clone
    finally:
        shutil.rmtree(folder)


@contextmanager
def _browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise TektiteError("Chromium is not installed: bin/test installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def _start(clone: Path, browser: Browser) -> Start:
    """Start it, look at a tile, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    begun = time.monotonic()
    process = subprocess.Popen(
        [clone / "bin/run"],
        env={**environment, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "running at" in line:
                break
        else:
            raise TektiteError(f"bin/run ended before it ran; its last words: {said[-1000:]}")
        said_s = time.monotonic() - begun
        _see_a_tile(browser, f"http://127.0.0.1:{port}", (clone / "var/sign-ins.txt").read_text())
        return Start(said_s, time.monotonic() - begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)


def _see_a_tile(browser: Browser, address: str, sign_ins: str) -> None:
    """Sign in, go to the demonstration's label page, and wait until a map tile is painted."""
    password = re.search(rf"^\s*{WHO}\s+(\S+)", sign_ins, re.MULTILINE)[1]
    campaign = re.search(r"/campaigns/[0-9a-f-]{36}/", sign_ins)[0]
    page = browser.new_page(base_url=address)
    page.set_default_timeout(60_000)
    page.goto(f"/accounts/login/?next={campaign}label/")
    page.fill("[name=login]", WHO)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("img.leaflet-tile-loaded").first).to_be_visible(timeout=60_000)
    page.close()


def _megabytes(folder: Path) -> float:
    """Of its files' contents, each once however many names it has."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _folders, names in os.walk(folder):
        for name in names:
            status = Path(parent, name).lstat()
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values()) / 1e6
