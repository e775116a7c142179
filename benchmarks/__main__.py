"""`bin/bench`: lists the benchmarks, prepares one, runs one, or makes the table."""

import argparse
import ast
import importlib
import json
import sys

from benchmarks import record
from mlcore.errors import TektiteError


def module_name(benchmark_id: str) -> str:
    return benchmark_id.replace(".", "_").replace("-", "_")


def claims() -> dict[str, str]:
    """The claim of each id, read from the scripts and not by running them: some import torch."""
    found = {}
    for file in sorted(record.FOLDER.glob("*.py")):
        constants = {
            target.id: statement.value.value
            for statement in ast.parse(file.read_text()).body
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        if "ID" in constants:
            found[constants["ID"]] = constants["CLAIM"]
    return found


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
        print("\n".join(f"{name}  {claim}" for name, claim in claims().items()))
        return 0
    if given.id not in claims():
        print(f"There is no benchmark called '{given.id}'; bin/bench lists them.", file=sys.stderr)
        return 2
    benchmark = importlib.import_module(f"benchmarks.{module_name(given.id)}")
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
