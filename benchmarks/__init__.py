"""What is measured, against whom: one script per claim, named by its id (`a.b-c` is `a_b_c.py`).

A script has `ID`, `CLAIM` (one line), `setup()` (untimed: builds peers and data under var/) and
`run(quick) -> Result`. See benchmarks/record.py for Result, benchmarks/__main__.py for `bin/bench`.
"""
