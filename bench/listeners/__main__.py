"""`python -m bench.listeners compare …`: a crowd of real listeners and what it costs, as a table and a plot."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.listeners.plot import svg
from bench.listeners.report import Section, markdown
from bench.listeners.scenarios.compare import compare
from bench.listeners.scenarios.crowd import crowd, flash, memory
from bench.listeners.scenarios.limit import limit
from bench.listeners.scenarios.nearly_full import load80
from bench.listeners.scenarios.options import PAROLA, Options
from bench.listeners.scenarios.rooms import rooms
from bench.machine import describe

SCENARIOS: dict[str, Callable[[Options], Awaitable[list[Section]]]] = {
    "compare": compare,
    "limit": limit,
    "crowd": crowd,
    "memory": memory,
    "flash": flash,
    "load80": load80,
    "rooms": rooms,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench-listeners", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(SCENARIOS)}; all where none is named")
    parser.add_argument("--listeners", type=int)
    parser.add_argument(
        "--large", type=int, help="of compare where Parola chooses its packet time; 10,000 or --listeners"
    )
    parser.add_argument("--seconds", type=float, help="measured in each run")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--settle", type=float, help="seconds between the last join and the measured time")
    parser.add_argument("--speakers", type=int)
    parser.add_argument("--servers", help=f"names with commas between: {', '.join(PAROLA)}, and the peers'")
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench-listeners"), help="without .md and .svg"
    )
    given = parser.parse_args()
    names = given.names or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    options = Options(
        given.listeners, given.seconds, given.rounds, given.settle, given.speakers,
        tuple(given.servers.split(",")) if given.servers else None, given.large,
    )  # fmt: skip
    machine = describe()
    print(machine, flush=True)
    sections: list[Section] = []
    for name in names:
        print(f"{name}:", flush=True)
        found = asyncio.run(_run(name, options))
        for figure in (figure for section in found for figure in section.figures):
            print(f"  {figure.line()}", flush=True)
        sections += found
    _write(given.out, sections, machine)


async def _run(name: str, options: Options) -> list[Section]:
    return await SCENARIOS[name](options)


def _write(out: Path, sections: list[Section], machine: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    text = markdown(sections, machine)
    out.with_suffix(".md").write_text(text)
    charts = [chart for section in sections for chart in section.charts]
    out.with_suffix(".svg").write_text(svg(charts, machine))
    print(f"\n{text}\n{out}.md and .svg", flush=True)


main()
