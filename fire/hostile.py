"""How much of the catalogue of bad input is inert: its tests, one or more a row, counted by row."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from bench.figures import Figure

ROWS = frozenset(range(1, 30)) - {15}
"""Row 15 is about TURN, which there is none of."""
_ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"test_row_(\d\d)_")


async def hostile(folder: Path) -> list[Figure]:
    report = folder / "rows.xml"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "tests/hostile", "-k", "test_row_", "-q", "-p", "no:cacheprovider",
        f"--junit-xml={report}",
        cwd=_ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr,
    )  # fmt: skip
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return [inert(report)]


def inert(report: Path) -> Figure:
    """From pytest's JUnit report. A row counts when it has tests and every one of them has passed."""
    results: defaultdict[int, list[bool]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        if row := _ROW.match(case.get("name", "")):
            results[int(row[1])].append(not {"failure", "error", "skipped"} & {x.tag for x in case})
    whole = {row for row in ROWS if results[row] and all(results[row])}
    broken = sorted(row for row in ROWS - whole if results[row])
    missing = sorted(row for row in ROWS - whole if not results[row])
    tests = sum(len(results[row]) for row in ROWS)
    note = f"{tests} tests; broken: {broken or 'none'}; without a test: {missing or 'none'}"
    return Figure("catalogue: rows inert", len(whole), f"of {len(ROWS)}", len(ROWS), note, at_least=True)
