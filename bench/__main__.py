"""`python -m bench`: every figure that Parola promises, on a server of this run's own, as one table.

Each measurement prints its own spread; machine and versions stand above, since nothing of it means anything elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import Figure, table
from bench.guessing import private_rooms
from bench.idle import silent_room
from bench.joining import join_to_sound
from bench.latency import added_latency, grant_to_sound
from bench.machine import describe
from bench.people import following, signing_in
from bench.quality import intelligibility_over_network
from bench.revoking import revoke_while_talking
from tests.e2e.house import House, opened

MEASUREMENTS: dict[str, Callable[[House], Awaitable[list[Figure]]]] = {
    "latency": added_latency,
    "grant": grant_to_sound,
    "revoke": revoke_while_talking,
    "quality": intelligibility_over_network,
    "idle": silent_room,
    "join": join_to_sound,
    "guess": private_rooms,
    "people": following,
    "sign-in": signing_in,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(MEASUREMENTS)}; all where none is named")
    chosen = parser.parse_args().names or list(MEASUREMENTS)
    unknown = [name for name in chosen if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no such measurement: {', '.join(unknown)}")
    print(describe(), flush=True)
    figures: list[Figure] = []
    for name in chosen:
        # A house of its own for each: what one leaves behind must not weigh on the next.
        with (
            tempfile.TemporaryDirectory(prefix="parola-bench-") as folder,
            opened(House(Path(folder))) as house,
        ):
            found = asyncio.run(MEASUREMENTS[name](house))  # type: ignore[arg-type]
        for figure in found:
            print(f"  {figure.line()}", flush=True)
        figures += found
    print()
    print(table(figures))


main()
