"""nats-server dies and comes back, three times, while a host grants, mutes and revokes without a pause."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.figures import Figure, quantile, spread
from fire.commanding import Commands, stage
from fire.history import Recorder, check
from fire.machines import Town, town
from fire.neighbour import neighbour
from tests.e2e.house import people

AWAY_S = 2.0
EVERY_S = 5.0
GUESTS = 3


async def bus_killed(folder: Path, kills: int = 3) -> list[Figure]:
    """Owner, listener and neighbours each have their sound within one process, which needs no bus. What is answered
    meanwhile has to be true afterwards, and everything else must say 503 in time."""
    async with town(folder, media_processes=2) as where:
        async with people(where.houses[0], "ada", *(f"bob{i}" for i in range(GUESTS)), "carla") as who:
            ada, *bobs, carla = who
            room_id = str((await ada.call("POST", "/api/rooms", {"title": "The bus dies"}))["id"])
            recorder = Recorder(folder / "history.jsonl")
            commands = Commands(recorder, ada, room_id)
            async with stage(recorder, ada, bobs, carla, room_id) as mouths:
                async with neighbour(where.origin) as near:
                    working = [asyncio.create_task(commands.turns(mouth)) for mouth in mouths]
                    await asyncio.sleep(1.0)
                    for _ in range(kills):
                        await _kill(where)
                    for task in working:
                        task.cancel()
                    await asyncio.gather(*working, return_exceptions=True)
                    await asyncio.sleep(3.0)
                    heard = await near.end()
            recorder.close()
    violations = check(recorder.lines)
    for violation in violations:
        print(f"    {violation}")
    return [
        Figure(
            "nats-server killed: grant, mute and revoke answered, p99", quantile(commands.seconds, 0.99),
            "s", 3.0, f"{spread(commands.seconds, 's')}; {commands.refused} refused with 503",
        ),
        Figure(
            "nats-server killed: calls that ended in neither success nor 503", float(commands.other), "", 0.0,
            f"of {len(commands.seconds)}",
        ),
        Figure(
            "nats-server killed: violations in the history (nothing lost, seq without gaps, silence kept)",
            float(len(violations)), "", 0.0, f"{len(recorder.lines)} lines",
        ),
        heard.figure("nats-server killed"),
    ]  # fmt: skip


async def _kill(where: Town) -> None:
    where.nats.kill()
    await asyncio.sleep(AWAY_S)
    where.nats.start()
    await asyncio.sleep(EVERY_S - AWAY_S)
