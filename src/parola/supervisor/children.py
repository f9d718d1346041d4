"""Children that ought to run: started again with growing pauses, and ended in order.

Each start is a *life* with an id of its own. A child that is `last` ends after all others, who need it to the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from parola.supervisor.lifeline import GATE, LIFELINE, PREPARE, Answer, Pipe, dies_with

_log = structlog.get_logger(__name__)

_REPORT_TIMEOUT_S = 5.0
PROCESS_ID = "PAROLA_PROCESS_ID"
CHILD = "PAROLA_CHILD"


@dataclass(frozen=True)
class Patience:
    """Seconds. The sum of the two graces stays below the five in which everything has to end."""

    first_pause: float = 0.2
    longest_pause: float = 10.0
    steady_after: float = 30.0
    grace: float = 3.0
    last_grace: float = 0.8


@dataclass
class Backoff:
    patience: Patience
    _pause: float = 0.0

    def died(self, lived_s: float) -> float:
        """The pause before the next start."""
        grown = 0.0 if lived_s >= self.patience.steady_after else self._pause * 2
        self._pause = min(self.patience.longest_pause, max(self.patience.first_pause, grown))
        return self._pause


@dataclass
class Child:
    """`command` is asked for anew at each start. `on_death` gets the id of the life that ended against our will."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    fds: tuple[int, ...] = ()
    on_death: Callable[[str], Awaitable[None]] | None = None
    on_line: Callable[[str], None] | None = None
    """Takes what the child says, line by line; without it the child writes to our stderr itself."""
    prepares: bool = False
    """Chosen to prepare the database, until that is done."""
    last: bool = False


class Nursery:
    """`start` children, then `end` them all, once."""

    def __init__(self, patience: Patience) -> None:
        self.gate = Pipe()
        self._lifeline = Pipe()
        self._patience = patience
        self._ending = asyncio.Event()
        self._ending_last = asyncio.Event()
        self._hurry = asyncio.Event()
        self._answer = Answer()
        self._prepared = False
        self._keepers: dict[asyncio.Task[None], Child] = {}
        self._reports: set[asyncio.Task[None]] = set()
        self._prepare = dies_with(os.getpid())

    def start(self, child: Child) -> None:
        ending = self._ending_last if child.last else self._ending
        self._keepers[asyncio.get_running_loop().create_task(self._keep(child, ending))] = child

    async def prepared(self) -> str:
        """Waits until the chosen child has prepared the database, and opens the gate: what went wrong, or nothing."""
        words = await self._answer.read()
        if not words:
            self._prepared = True
            self.gate.close()
        return words

    def hurry(self) -> None:
        """No more grace: whatever is still there is killed as soon as `end` is called, or now."""
        self._hurry.set()

    async def end(self) -> None:
        for report in self._reports:
            report.cancel()
        self._ending.set()
        await self._until_ended(last=False)
        self._ending_last.set()
        await self._until_ended(last=True)
        self.gate.close()
        self._lifeline.close()
        self._answer.close()
        for fd in (self.gate.inherited, self._lifeline.inherited):
            os.close(fd)

    async def _until_ended(self, last: bool) -> None:
        keepers = [keeper for keeper, child in self._keepers.items() if child.last == last]
        for outcome in await asyncio.gather(*keepers, return_exceptions=True):
            if isinstance(outcome, BaseException):
                _log.error("child.keeper_failed", exc_info=outcome)

    async def _keep(self, child: Child, ending: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff(self._patience)
        while not ending.is_set():
            life, began = secrets.token_urlsafe(16), loop.time()
            how = await self._live(child, life, ending)
            if how is None:
                return
            pause = backoff.died(loop.time() - began)
            _log.error("child.died", child=child.name, how=how, again_in_s=pause)
            if child.on_death is not None:
                self._background(self._report(child, child.on_death, life))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await ending.wait()

    async def _live(self, child: Child, life: str, ending: asyncio.Event) -> str | None:
        """One life: how it ended, or None when we ended it."""
        try:
            process = await self._spawn(child, life)
        except OSError as error:
            return f"could not start: {error}"
        _log.info("child.started", child=child.name, pid=process.pid)
        if child.on_line is not None and process.stdout is not None:
            self._background(_read_lines(process.stdout, child.on_line))
        death = asyncio.create_task(process.wait())
        await _first_of(death, ending.wait())
        if not ending.is_set():
            return _how(await death)
        await self._end(child, process, death)
        return None

    async def _spawn(self, child: Child, life: str) -> asyncio.subprocess.Process:
        pipes = {LIFELINE: self._lifeline.inherited, GATE: self.gate.inherited}
        if child.prepares and not self._prepared:
            pipes[PREPARE] = self._answer.inherited
        environment = {name: str(fd) for name, fd in pipes.items()}
        environment |= {PROCESS_ID: life, CHILD: child.name}
        heard = child.on_line is not None
        return await asyncio.create_subprocess_exec(
            *child.command(),
            env={**os.environ, **child.environment, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if heard else 2,
            stderr=asyncio.subprocess.STDOUT if heard else None,
            pass_fds=(*child.fds, *pipes.values()),
            preexec_fn=self._prepare,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends the others in order
        )

    async def _end(self, child: Child, process: asyncio.subprocess.Process, death: asyncio.Task[int]) -> None:
        grace = self._patience.last_grace if child.last else self._patience.grace
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_first_of(death, self._hurry.wait()), grace)
        if not death.done():
            _log.warning("child.killed", child=child.name, pid=process.pid)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await death

    async def _report(self, child: Child, on_death: Callable[[str], Awaitable[None]], life: str) -> None:
        # Beside the restart, which does not wait for it.
        try:
            async with asyncio.timeout(_REPORT_TIMEOUT_S):
                await on_death(life)
        except Exception:
            _log.exception("child.death_not_reported", child=child.name)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)


async def _first_of(first: asyncio.Task[int], other: Coroutine[Any, Any, Any]) -> None:
    waiting = asyncio.create_task(other)
    try:
        await asyncio.wait({first, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _read_lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the reader's limit: the rest of it comes as the next line
            continue
        if not line:
            return
        on_line(line.decode(errors="replace").rstrip())


def _how(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
