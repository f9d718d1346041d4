"""`python -m fire [names]`: what happens when things break, as one table; every scenario on servers of its own."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import traceback
from pathlib import Path

from bench.figures import Figure, table
from bench.machine import describe
from fire.scenarios import SCENARIOS


def main() -> int:
    parser = argparse.ArgumentParser(prog="fire", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(SCENARIOS)}; all where none is named")
    chosen = parser.parse_args().names or list(SCENARIOS)
    unknown = [name for name in chosen if name not in SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    print(describe(), flush=True)
    figures: list[Figure] = []
    failed: list[str] = []
    for name in chosen:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="parola-fire-") as folder:
            try:
                found = asyncio.run(SCENARIOS[name](Path(folder)))
            except Exception:
                traceback.print_exc()
                failed.append(name)
                continue
        print(f"{name} ({time.monotonic() - began:.0f} s)")
        for figure in found:
            print(f"  {figure.line()}", flush=True)
        figures += found
    print()
    print(table(figures))
    for name in failed:
        print(f"FAILED: {name} did not come to its end", flush=True)
    return int(bool(failed) or not all(figure.holds for figure in figures))


if __name__ == "__main__":
    raise SystemExit(main())
