"""`bin/bench`: lists the benchmarks, prepares one, runs one, or makes the table."""

import argparse
import importlib
import json
import sys
from types import ModuleType

from benchmarks import record
from mlcore.errors import TektiteError

NOT_BENCHMARKS = {"__init__", "__main__", "record"}


def module_name(benchmark_id: str) -> str:
    return benchmark_id.replace(".", "_").replace("-", "_")


def load(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def names() -> list[str]:
    """Module names of all benchmarks: the files of this folder that declare an ID."""
    files = sorted(record.FOLDER.glob("*.py"))
    return [f.stem for f in files if f.stem not in NOT_BENCHMARKS and "\nID = " in f.read_text()]


def main() -> int:
    """Do what the command line says; 1 when a target was missed, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    parser.add_argument("id", nargs="?", help="which benchmark; without it they are listed")
    parser.add_argument("--setup", action="store_true", help="build what it needs, untimed")
    parser.add_argument("--quick", action="store_true", help="within 60 seconds; nothing is recorded")
    parser.add_argument("--table", action="store_true", help="make benchmarks/RESULTS.md")
    given = parser.parse_args()
    if given.table:
        record.write_table()
        return 0
    if not given.id:
        for benchmark in map(load, names()):
            print(f"{benchmark.ID}  {benchmark.CLAIM}")
        return 0
    if module_name(given.id) not in names():
        print(f"There is no benchmark called '{given.id}'; bin/bench lists them.", file=sys.stderr)
        return 2
    benchmark = load(module_name(given.id))
    try:
        if given.setup:
            benchmark.setup()
            return 0
        result: record.Result = benchmark.run(given.quick)
    except TektiteError as error:
        print(error.message, file=sys.stderr)
        return 2
    line = json.dumps(record.row(benchmark.ID, given.quick, result))
    if not given.quick:
        with record.LOG.open("a") as log:
            log.write(line + "\n")
    print(line)
    return 1 if result.met is False else 0


if __name__ == "__main__":
    sys.exit(main())
