"""What the supervisor has to be told about Parola itself, so that its tests can put something small in its place."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from parola.settings import Settings

_T = TypeVar("_T")


def _command(*arguments: str) -> list[str]:
    # -P: nothing in the current folder is taken for a module.
    return [sys.executable, "-P", "-m", "parola", *arguments]


def _warm_up(settings: Settings) -> None:
    from parola.bootstrap import supervisor

    supervisor.rehearse(settings)


def _evidence_key(settings: Settings) -> str:
    # The children wait for this: nothing more is imported than it takes.
    from parola.services.evidence_keys import EvidenceKeys

    if settings.evidence == "off":
        return ""
    keys = EvidenceKeys(settings.evidence_key, settings.evidence_file)
    if "web" in settings.roles:
        keys.make()
    elif not settings.evidence_key:
        return ""  # a key of this machine alone would open nothing elsewhere
    return str(keys.public())


def _first_claim(settings: Settings) -> str | None:
    from parola.bootstrap import supervisor

    return supervisor.first_claim(settings)


async def _process_gone(settings: Settings, process_id: str) -> None:
    # Takes no time unless somebody dies very early.
    await in_thread(lambda: importlib.import_module("parola.bootstrap.supervisor"))
    from parola.bootstrap import supervisor

    await supervisor.process_gone(settings, process_id)


@dataclass(frozen=True)
class House:
    """`web` and `media` are commands, for a socket and a number; the one of them that is chosen prepares the database.

    `warm_up` is called when everything is ready, on a thread: what `process_gone` needs, if that takes long.
    `first_claim` makes a link for the first administrator; None where there is one. `evidence_key` is asked first of
    all: what media processes seal to, empty where nothing is kept; it raises OSError and ValueError.
    """

    process_gone: Callable[[Settings, str], Awaitable[None]] = _process_gone
    web: Callable[[int], Sequence[str]] = lambda fd: _command("web-process", "--fd", str(fd))
    media: Callable[[int], Sequence[str]] = lambda index: _command("media-process", "--index", str(index))
    warm_up: Callable[[Settings], None] = _warm_up
    first_claim: Callable[[Settings], str | None] = _first_claim
    evidence_key: Callable[[Settings], str] = _evidence_key


async def in_thread(work: Callable[[], _T]) -> _T:
    """As asyncio.to_thread, on a thread that nobody waits for at the end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[_T] = loop.create_future()

    def finish(value: _T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(finish, value, error)
        except RuntimeError:
            pass  # the loop is closed: Parola has ended meanwhile

    threading.Thread(target=run, daemon=True, name="beside").start()
    return await result
