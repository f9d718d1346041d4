"""What runs in each kind of process; `wiring` puts a web process's services together. Nothing else wires."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
import uvloop

from parola.api.app import Services, make_app
from parola.api.door import Door, Porter
from parola.api.limiting import OPEN_CONNECTIONS
from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import Gone
from parola.bus.nats import NatsBus
from parola.domain.inviting import InvitingPolicy
from parola.media.descriptors import raise_limit
from parola.media.fanout import Sender, workers
from parola.media.identity import self_signed
from parola.media.orders import OrderDesk
from parola.media.packet_time import Pace
from parola.media.process import Evidence as Kept
from parola.media.process import MediaIdentity, MediaProcess
from parola.media.transport import Transport
from parola.projection import Projections
from parola.rtp.dtls import Certificate
from parola.rtp.hpke import HpkeError
from parola.services import clock
from parola.services.claims import Claims
from parola.services.evidence_keys import EvidenceKeys
from parola.services.feeds import Feeds
from parola.services.invitations import Invitations
from parola.services.inviting import Inviting
from parola.settings import Settings
from parola.store import Store, StoreUnavailable
from parola.store import upgrade as upgrade_store
from parola.wiring import make_services

_log = structlog.get_logger(__name__)

PAGE = Path(__file__).parent / "page"
_GOODBYE_S = 1


def run_web(settings: Settings, fd: int) -> None:
    """Serves HTTP on the listening socket `fd` until SIGTERM or SIGINT."""
    _run(_web(settings, fd))


def run_media(settings: Settings, index: int) -> None:
    """Media on UDP port `udp_port + index` until SIGTERM or SIGINT; OSError names an address that is taken."""
    _run(_media(settings, index))


def upgrade(settings: Settings) -> None:
    """Brings the database to this version's tables, and ends leases that this machine's last life left behind."""
    asyncio.run(_upgrade(settings))


def create_invite(settings: Settings) -> str:
    """A code for one new account."""
    return asyncio.run(_create_invite(settings))


async def process_gone(settings: Settings, process_id: str) -> None:
    """A media process has died: its rooms are free at once, and its people are told to come back."""
    # Side by side: a database that is away must not keep people waiting for the word, nor a bus the database.
    await _both(_release(settings, process_id), _tell_gone(settings, process_id))


def rehearse(settings: Settings) -> None:
    """What `process_gone` needs is imported and has been used once: the first time takes a second."""
    asyncio.run(_rehearse(settings))


def first_claim(settings: Settings) -> str | None:
    """A link by which somebody becomes the first administrator; None where there is one."""
    return asyncio.run(_first_claim(settings))


async def _first_claim(settings: Settings) -> str | None:
    async with _store(settings) as store:
        return await Claims(store, clock.now, settings.public_url).first_link()


@contextlib.asynccontextmanager
async def at_the_machine(settings: Settings) -> AsyncIterator[Services]:
    """The services of a web process, for commands beside a server that may run. Its processes are told by the bus
    where that has an address; else they find out from the database, within seconds."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade_store(settings.database_url)
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(_store(settings))
        bus: Bus = MemoryBus()
        if settings.nats_url:
            bus = await stack.enter_async_context(_bus(settings))
        yield make_services(settings, store, bus)[0]


async def _rehearse(settings: Settings) -> None:
    with contextlib.suppress(StoreUnavailable):
        async with _store(settings) as store, _bus(settings):
            await store.leases.all()


async def _release(settings: Settings, process_id: str) -> None:
    with contextlib.suppress(StoreUnavailable):
        async with _store(settings) as store:
            await store.leases.release(process_id)


async def _tell_gone(settings: Settings, process_id: str) -> None:
    with contextlib.suppress(BusUnavailable, OSError):
        async with _bus(settings) as bus:
            await bus.publish(subjects.MEDIA_GONE, Gone(process_id).to_bytes())


async def _web(settings: Settings, fd: int) -> None:
    async with _store(settings) as store, _bus(settings) as bus:
        services, projections, audience, feeds = make_services(settings, store, bus)
        tasks: list[asyncio.Task[None]] = []

        async def run() -> None:
            await audience.start()
            await services.notices.start()
            await services.rounds.start()
            await services.attendance.start()
            await services.rollout.start()
            await services.tallies.start()
            running = (
                projections,
                feeds,
                services.deadlines,
                services.attendance,
                services.days,
                services.deletion,
                services.mailer,
                services.rounds,
                services.waitlist,
                services.closing,
                services.moderating,
                services.tallies,
                services.tidying,
                services.evidence,
            )
            tasks.extend(asyncio.create_task(one.run()) for one in running)

        async def close() -> None:
            for task in tasks:
                task.cancel()
            await services.attendance.close()
            await services.outbound.close()

        app = make_app(services, PAGE, run, close)
        most = OPEN_CONNECTIONS if settings.limits != "off" else None
        porter = Porter(most_of_an_address=most, trusted=settings.trusted_proxies)
        server = _Server(
            uvicorn.Config(
                app,
                http=cast(type[Door], functools.partial(Door, porter)),
                loop="none",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=list(settings.trusted_proxies),
                timeout_graceful_shutdown=_GOODBYE_S,
            ),
            feeds,
        )
        sock = socket.socket(fileno=os.dup(fd))
        sock.setblocking(False)
        _settle_memory()
        await server.serve([sock])


class _Server(uvicorn.Server):
    """Ends the event streams before it waits for its connections: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, feeds: Feeds) -> None:
        super().__init__(config)
        self._feeds = feeds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._feeds.close()
        await super().shutdown(sockets)


async def _media(settings: Settings, index: int) -> None:
    port = settings.udp_port + index
    local = [settings.bind] if settings.bind not in ("0.0.0.0", "::") else list(settings.host_addresses)
    sockets = Transport.bind(local, port)
    certificate = Certificate(*self_signed())
    identity = MediaIdentity(
        settings.process_id,
        f"media-{index}",
        settings.machine,
        certificate,
        tuple((address, port) for address in settings.public_ips),
    )
    async with _store(settings) as store, _bus(settings) as bus:
        projections = Projections(store, bus, time.monotonic)
        transport = Transport(sockets, time.monotonic)
        most = OPEN_CONNECTIONS if settings.limits != "off" else None
        worker = workers.choose(settings.fanout == "auto", settings.data_dir / "compiled")
        senders = [Sender(worker) for _ in range(settings.sender_threads)]
        pace = Pace(*settings.long_packets_from, settings.fixed_frames)
        process = MediaProcess(
            identity, transport, store, bus, projections, time.monotonic, senders, pace, most, _kept(settings)
        )
        await OrderDesk(process, bus).open()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        running = asyncio.ensure_future(_both(process.run(), projections.run()))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _kept(settings: Settings) -> Kept | None:
    """What a media process keeps of its rooms."""
    if settings.evidence == "off":
        return None
    keys = EvidenceKeys(settings.evidence_key, settings.evidence_file)
    try:
        return Kept(keys.public(), settings.evidence_after_s)
    except (OSError, HpkeError) as error:
        _log.warning("evidence.no_key", reason=str(error))
        return None


def _settle_memory() -> None:
    """What was imported and made until now stays: a garbage collector that went through it again and again would stop
    everything for a tenth of a second each time."""
    gc.collect()
    gc.freeze()


async def _both(*works: Awaitable[None]) -> None:
    await asyncio.gather(*works)


async def _upgrade(settings: Settings) -> None:
    await upgrade_store(settings.database_url)
    async with _store(settings) as store:
        await store.leases.release_machine(settings.machine)


async def _create_invite(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade_store(settings.database_url)
    async with _store(settings) as store:
        inviting = Inviting(store, clock.now, InvitingPolicy())
        return await Invitations(store, clock.now, settings.registration, inviting).of_the_server()


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    store = Store.open(settings.database_url)
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _bus(settings: Settings) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(settings.nats_url, settings.nats_token)
    try:
        yield bus
    finally:
        await bus.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    raise_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
