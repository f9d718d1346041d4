"""`parola serve`: claims what it needs, starts everything, waits, ends everything."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import structlog

from parola.settings import Settings
from parola.supervisor.bus import EmbeddedNats
from parola.supervisor.children import Child, Nursery, Patience
from parola.supervisor.claims import StartError, claimed
from parola.supervisor.house import House, in_thread
from parola.supervisor.ready import announce

_log = structlog.get_logger(__name__)


def serve(settings: Settings, house: House | None = None, patience: Patience | None = None) -> None:
    """Returns after SIGINT, SIGTERM or SIGHUP, when all children have ended: within five seconds. Raises StartError."""
    with claimed(settings) as http:
        asyncio.run(_Serving(settings, house or House(), patience or Patience(), http).run())


class _Serving:
    def __init__(
        self, settings: Settings, house: House, patience: Patience, http: socket.socket | None
    ) -> None:
        self._settings = settings
        self._house = house
        self._patience = patience
        self._http = http

    async def run(self) -> None:
        self._nursery = Nursery(self._patience)
        self._stopped = asyncio.Event()
        self._take_signals()
        opening = asyncio.create_task(self._open())
        stopping = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
            await stopping
            _log.info("parola.stopping")
        finally:
            for task in (opening, stopping):
                task.cancel()
            with contextlib.suppress(BaseException):
                await opening
            await self._nursery.end()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has its reasons
                loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        if self._stopped.is_set():
            self._nursery.hurry()
        self._stopped.set()

    async def _open(self) -> None:
        shared = await self._bus()
        sealing = await self._evidence()
        for index in range(self._settings.media_processes if "media" in self._settings.roles else 0):
            self._nursery.start(self._media(index, shared | sealing))
        for index in range(self._settings.web_processes if self._http is not None else 0):
            self._nursery.start(self._web(index, shared))
        if problem := await self._nursery.prepared():
            raise StartError(f"The database cannot be prepared: {problem}")
        await announce(self._settings)
        await in_thread(lambda: self._house.warm_up(self._settings))
        await self._offer_administration()

    async def _offer_administration(self) -> None:
        if "web" not in self._settings.roles:
            return
        try:
            link = await in_thread(lambda: self._house.first_claim(self._settings))
        except Exception as error:
            # What is served does not depend on it, and the next start says it.
            _log.warning("administration.no_link", reason=str(error)[:200])
            return
        if link is not None:
            _log.info("administration.nobody_yet", link=link, holds="24 hours, once")

    async def _evidence(self) -> dict[str, str]:
        """Media processes are told the public key alone, whatever stands in our own environment."""
        try:
            key = await in_thread(lambda: self._house.evidence_key(self._settings))
        except (OSError, ValueError) as error:
            raise StartError(f"The key of the evidence cannot be used: {error}") from error
        return {"PAROLA_EVIDENCE_KEY": key} if key else {}

    async def _bus(self) -> dict[str, str]:
        """Starts the embedded bus where no other is named: the environment that children find it by."""
        shared = {"PAROLA_MACHINE": self._settings.machine}
        if not self._settings.embedded_nats:
            return shared
        bus = EmbeddedNats(self._settings.data_dir / "nats")
        self._nursery.start(bus.child())
        url = await bus.url()
        self._settings = self._settings.model_copy(update={"nats_url": url, "nats_token": bus.token})
        return shared | {"PAROLA_NATS_URL": url, "PAROLA_NATS_TOKEN": bus.token}

    def _media(self, index: int, shared: dict[str, str]) -> Child:
        async def gone(process_id: str) -> None:
            await self._house.process_gone(self._settings, process_id)

        chosen = index == 0
        return Child(
            f"media-{index}", lambda: self._house.media(index), shared, on_death=gone, prepares=chosen
        )

    def _web(self, index: int, shared: dict[str, str]) -> Child:
        assert self._http is not None
        fd = self._http.fileno()
        chosen = index == 0 and "media" not in self._settings.roles
        return Child(f"web-{index}", lambda: self._house.web(fd), shared, fds=(fd,), prepares=chosen)
