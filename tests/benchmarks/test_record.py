import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import record
from benchmarks.record import Result

ROOT = Path(__file__).parents[2]


def line(name: str, met: bool | None, date: str, **ours: object) -> str:
    found = record.row(name, False, Result(ours=ours, peer=None, target="at least 3", met=met, note="a|b"))
    return json.dumps({**found, "date": date})


def test_it_works():
    found = record.row("a.b-c", True, Result({"x": 1.5}, {"x": 0.5}, "twice", True, seed=3))
    assert list(found)[:5] == ["id", "ours", "peer", "target", "met"]
    assert {"quick", "device", "seed", "commit"} <= set(found)
    assert found["id"] == "a.b-c" and found["quick"] is True and "cores" in str(found["device"])


@pytest.mark.parametrize("name", bench.claims())
def test_a_script_is_named_by_its_id_and_claims_something_in_one_line(name: str):
    assert (ROOT / "benchmarks" / f"{bench.module_name(name)}.py").exists()
    assert bench.claims()[name] and "\n" not in bench.claims()[name]


def test_the_loop_has_its_claims():
    assert {name for name in bench.claims() if name.startswith("loop.")} >= {"loop.map-tiles"}


def test_the_table_has_the_newest_run_of_each_and_every_miss(tmp_path: Path):
    log, table = tmp_path / "results.jsonl", tmp_path / "RESULTS.md"
    rows = [
        line("b", True, "day 1", figure=1111.1),
        line("b", True, "day 2", figure=2.0),
        line("a", False, "day 3", fold={"recall": 0.8}),
        line("a", True, "day 4", fold={"recall": 0.9}),
    ]
    log.write_text("\n".join(rows) + "\n")
    record.write_table(log, table)
    lines = [text for text in table.read_text().splitlines() if text.startswith(("| a", "| b"))]
    assert [day in text for day, text in zip(("day 3", "day 4", "day 2"), lines, strict=True)] == [True] * 3
    assert "**no**" in lines[0] and "recall 0.8" in lines[0] and "a\\|b" in lines[0]


def test_an_unknown_id_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["bin/bench", "../etc"])
    assert bench.main() == 2 and "no benchmark called" in capsys.readouterr().err
