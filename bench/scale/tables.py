"""The tables of the documentation, between their marks."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from bench.scale.model import MEASURED, Bill, Costs, Machine, Room, plan

SMALL, MIDDLE, LARGE = Machine(2, 4, 1), Machine(4, 8, 1), Machine(16, 32, 10)
ONE_ROOM = (100, 1_000, 10_000, 100_000, 1_000_000)
MANY_ROOMS, LARGEST_ROOM, TALKING_OF_TEN = 100_000, 50_000, 3
_HEAD = (
    "| {} | Machines | Used most, of what there is | Gbit/s in all | Edges over the bus | Cores of the bus "
    "| Cores of pages | GB in each | A lost one's listeners are back in |"
)
_RULE = "|---" * 9 + "|"
_MARK = re.compile(r"(<!-- scale: (\w+) -->\n).*?(<!-- /scale -->)", re.DOTALL)


def written(text: str) -> str:
    """A document with its tables anew."""
    return _MARK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def many_rooms() -> list[Room]:
    """Of very different sizes, as audiences are: the nth largest has a nth of the largest one's listeners. Somebody
    talks in the largest one, and so on evenly."""
    return [
        Room(LARGEST_ROOM // n, 1 if (n - 1) * TALKING_OF_TEN % 10 < TALKING_OF_TEN else 0)
        for n in range(1, MANY_ROOMS + 1)
    ]


def constants() -> str:
    rows = ["| Constant | Measured | Of what | With |", "|---|---|---|---|"]
    for name, (value, what, bench) in json.loads(MEASURED.read_text()).items():
        rows.append(f"| `{name}` | {value:,} | {what} | `{bench}` |")
    return "\n".join(rows)


def one_room() -> str:
    rows = [_HEAD.format("Listeners"), _RULE]
    for machine in (MIDDLE, LARGE):
        rows += [_row(f"{n:,}", _plan((Room(n),), machine)) for n in ONE_ROOM[1:]]
    return "\n".join(rows)


def rooms() -> str:
    audience = tuple(many_rooms())
    total = sum(room.listeners for room in audience)
    talking = sum(1 for room in audience if room.talkers)
    what = f"{total:,} listeners, in {talking:,} rooms somebody talks"
    return "\n".join([_HEAD.format(f"{MANY_ROOMS:,} rooms"), _RULE, _row(what, _plan(audience, LARGE))])


def sizing() -> str:
    rows = ["| Listeners in one room | What to buy |", "|---|---|"]
    for listeners in ONE_ROOM:
        offers = [
            (bill.machines * kind.cores, f"{bill.machines} × ({kind})")
            for kind in (SMALL, MIDDLE, LARGE)
            for bill in (_plan((Room(listeners),), kind),)
        ]
        rows.append(f"| {listeners:,} | {min(offers)[1]} |")
    return "\n".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "constants": constants,
    "one_room": one_room,
    "rooms": rooms,
    "sizing": sizing,
}


@functools.cache
def _plan(audience: tuple[Room, ...], machine: Machine) -> Bill:
    return plan(audience, machine, Costs.measured())


def _row(what: str, bill: Bill) -> str:
    gbit = sum(process.bits for process in bill.processes) / 1e9
    back = f"{max(1, bill.refill_s):,.0f} s" if bill.media > 1 else "–"
    return (
        f"| {what} | {bill.machines:,} × ({bill.machine}) | {bill.ends}, {bill.load:.0%} | {gbit:,.2f} | {bill.hops:,} "
        f"| {bill.bus_cores:.2f} | {bill.web_cores:.2f} | {bill.memory_gb:.1f} | {back} |"
    )
