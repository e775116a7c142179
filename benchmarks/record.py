"""A benchmark's result: the one JSON line it ends with, the log of full runs and the table made of it."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent
LOG = FOLDER / "results.jsonl"
TABLE = FOLDER / "RESULTS.md"
# Where --setup builds peers and data; never in the repository.
VAR = Path(os.environ.get("TEKTITE_VAR", FOLDER.parent / "var")) / "benchmarks"

Figures = Mapping[str, object]


@dataclass(frozen=True)
class Result:
    """What one run of a benchmark found.

    Attributes:
        ours: Figures by name, units in the names; a value may be a dict of figures (one per fold, say).
        peer: The same of the peer on the same work in the same run; None where the issue names none.
        target: What was to be reached, in words; None where the issue names nothing.
        met: None where this device or a quick run cannot decide it.
        seed: None where nothing is drawn at random.
        device: What it ran on; this machine's processor when not given.
        note: Data, split and circumstances; for a missed target, what was tried.
    """

    ours: Figures
    peer: Figures | None
    target: str | None
    met: bool | None
    seed: int | None = None
    device: str = ""
    note: str = ""


def processor() -> str:
    """This machine's processor and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0))
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {cores} cores"


def commit() -> str:
    """The commit measured, with a + when tracked files differ from it."""
    git = ["git", "-C", str(FOLDER)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ":!*results.jsonl"]).returncode != 0
    return (head.strip() or "unknown") + ("+" if changed else "")


def row(benchmark_id: str, quick: bool, result: Result) -> dict[str, object]:
    """The JSON line of DESIGN.md §11, and the day."""
    found = asdict(result)
    return {
        "id": benchmark_id,
        **found,
        "quick": quick,
        "device": found["device"] or processor(),
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_table(log: Path = LOG, table: Path = TABLE) -> None:
    """Make RESULTS.md from results.jsonl: each id's newest full row, and every row that missed its target."""
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    newest = {found["id"]: number for number, found in enumerate(rows)}
    kept = [
        found for number, found in enumerate(rows) if number == newest[found["id"]] or found["met"] is False
    ]
    kept.sort(key=lambda found: found["id"])
    heads = ["id", "ours", "peer", "target", "met", "device", "seed", "commit", "date", "note"]
    lines = [
        "# Results",
        "",
        "Made by `bin/bench --table` from `results.jsonl`: the newest full run of each benchmark, and every",
        "run that missed its target. Times are from shared machines: trust the ratios.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(_cell(found.get(head)) for head in heads) + " |" for found in kept),
    ]
    table.write_text("\n".join(lines) + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if isinstance(value, dict):
        return "<br>".join(f"{name} {_cell(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "–".join(_cell(inner) for inner in value)
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value).replace("|", "\\|").replace("\n", " ")
