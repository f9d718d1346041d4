"""What the supervisor has to be told about Parola itself, so that its tests can put something small in its place."""

from __future__ import annotations

import asyncio
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


def _upgrade(settings: Settings) -> None:
    from parola import bootstrap  # imports everything: not before the children are on their way

    bootstrap.upgrade(settings)


async def _process_gone(settings: Settings, process_id: str) -> None:
    from parola import bootstrap

    await bootstrap.process_gone(settings, process_id)


@dataclass(frozen=True)
class House:
    """`upgrade` prepares the database and may block; `web` and `media` are commands, for a socket and a number."""

    upgrade: Callable[[Settings], None] = _upgrade
    process_gone: Callable[[Settings, str], Awaitable[None]] = _process_gone
    web: Callable[[int], Sequence[str]] = lambda fd: _command("web-process", "--fd", str(fd))
    media: Callable[[int], Sequence[str]] = lambda index: _command("media-process", "--index", str(index))


async def in_thread(work: Callable[[], _T]) -> _T:
    """As asyncio.to_thread, on a thread that nobody waits for at the end: Ctrl-C during a long upgrade ends at once."""
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

    threading.Thread(target=run, daemon=True, name="upgrade").start()
    return await result
