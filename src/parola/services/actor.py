"""Who administers. `services.administering` lets them in."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain.audit import COMMAND_LINE


@dataclass(frozen=True, slots=True)
class Actor:
    """Who administers: an account's id, or COMMAND_LINE."""

    id: str


AT_THE_MACHINE = Actor(COMMAND_LINE)
