"""All scenarios by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.figures import Figure
from fire.garbage import garbage
from fire.hostile import hostile
from fire.media_killed import media_killed
from fire.pressure import pressure

SCENARIOS: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "media_killed": media_killed,
    "garbage": garbage,
    "hostile": hostile,
    "pressure": pressure,
}
