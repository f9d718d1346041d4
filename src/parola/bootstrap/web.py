"""A web process."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import socket
from pathlib import Path
from typing import cast

import uvicorn

from parola.api.app import make_app
from parola.api.door import Door, Porter
from parola.bootstrap.shared import open_bus, open_store
from parola.domain.limits import OPEN_CONNECTIONS
from parola.services.feeds import Feeds
from parola.settings import Settings
from parola.wiring import make_services

PAGE = Path(__file__).parents[1] / "page"
_GOODBYE_S = 1


async def serve(settings: Settings, fd: int) -> None:
    """HTTP on the listening socket `fd`, until SIGTERM or SIGINT."""
    async with open_store(settings) as store, open_bus(settings) as bus:
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


def _settle_memory() -> None:
    """What was imported and made until now stays: a garbage collector that went through it again and again would stop
    everything for a tenth of a second each time."""
    gc.collect()
    gc.freeze()
