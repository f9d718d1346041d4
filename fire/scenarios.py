"""All scenarios by name, in the order in which they are run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import Figure
from fire.bad_bodies import bad_bodies
from fire.bus_killed import bus_killed
from fire.database_killed import database_killed
from fire.garbage import garbage
from fire.hostile import hostile
from fire.impairment import impairment
from fire.machine_lost import machine_lost
from fire.media_killed import media_killed
from fire.moving import moving
from fire.partition import partition
from fire.pressure import pressure
from fire.private_rooms import private_rooms
from fire.soak import soak
from fire.stopped import owner_stopped

SCENARIOS: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "media_killed": media_killed,
    "owner_stopped": owner_stopped,
    "machine_lost": machine_lost,
    "database_killed": database_killed,
    "bus_killed": bus_killed,
    "partition": partition,
    "impairment": impairment,
    "moving": moving,
    "garbage": garbage,
    "pressure": pressure,
    "hostile": hostile,
    "bad_bodies": bad_bodies,
    "private_rooms": private_rooms,
    "soak": soak,
}
