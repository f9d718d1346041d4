"""A media process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

import structlog

from parola.bootstrap.shared import open_bus, open_store
from parola.domain.limits import OPEN_CONNECTIONS
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
from parola.services.evidence_keys import EvidenceKeys
from parola.settings import Settings

_log = structlog.get_logger(__name__)


async def serve(settings: Settings, index: int) -> None:
    """Media on UDP port `udp_port + index`, until SIGTERM or SIGINT. OSError names an address that is taken."""
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
    async with open_store(settings) as store, open_bus(settings) as bus:
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
        running = asyncio.create_task(_run(process, projections))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _run(process: MediaProcess, projections: Projections) -> None:
    await asyncio.gather(process.run(), projections.run())


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
