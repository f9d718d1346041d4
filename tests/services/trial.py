"""Two web processes of one house, with a clock that a test moves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from parola.api.app import Services
from parola.bus import subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import PresenceChanged, Present
from parola.domain.rooms import Room
from parola.services.actor import AT_THE_MACHINE
from parola.services.caller import Caller, Member
from parola.settings import Settings
from parola.store import Account, Store
from parola.wiring import make_services
from tests.database import DATABASES
from tests.services.house import MEDIA, FakeMedia

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = BEGIN
    monotonic: float = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


@dataclass
class Trial:
    """Made by `opened`."""

    webs: list[Services]
    store: Store
    bus: MemoryBus
    clock: Clock
    accounts: dict[str, Account] = field(default_factory=dict)
    number: int = 0

    async def caller(self, handle: str, age_days: float = 0.0) -> Caller:
        if handle not in self.accounts:
            born = self.clock.now - timedelta(days=age_days)
            self.accounts[handle] = await self.store.accounts.add(handle, handle, handle.title(), "-", born)
        return Caller(Member(self.accounts[handle], f"session-{handle}"))

    async def opens(self, handle: str, web: int = 0, **more: Any) -> Room:
        given = {"title": "A room", "access": "open", "guests": None, "starts_at": None, **more}
        return await self.webs[web].rooms.open(await self.caller(handle), **given)

    async def plans(self, reason: str = "because", override: bool = False, **plan: Any) -> int:
        """The version of a new plan."""
        trials = self.webs[0].trials
        version = (await trials.state(AT_THE_MACHINE, "hosting")).version
        state = await trials.change(AT_THE_MACHINE, "hosting", version, plan, reason, override)
        await self.bus.drained()
        return state.version

    async def present(
        self,
        room_id: str,
        came: Sequence[Present] = (),
        left: Sequence[str] = (),
        speakers: Sequence[Present] = (),
    ) -> None:
        """As a media process tells it."""
        before, self.number = self.number, self.number + 1
        body = PresenceChanged(MEDIA, room_id, before, self.number, list(came), list(speakers), list(left))
        await self.bus.publish(subjects.PRESENCE, body.to_bytes())
        await self.bus.drained()

    async def rounds(self, *seconds: float) -> None:
        """Time passes, and after each part every process writes down what it has counted."""
        for part in seconds:
            self.clock.pass_by(part)
            await self.bus.drained()
            for web in self.webs:
                await web.tallies.look()


@contextlib.asynccontextmanager
async def opened(folder: Path, processes: int = 2, **settings: Any) -> AsyncIterator[Trial]:
    url = DATABASES.fresh(folder)
    bus, clock = MemoryBus(), Clock()
    stores: list[Store] = []
    webs = []
    await FakeMedia(bus).start()
    for number in range(processes):
        chosen = Settings.load(
            data_dir=folder, database_url=url, limits="off", process_id=f"web-{number}", **settings
        )
        stores.append(Store.open(chosen.database_url))
        services, _, audience, _ = make_services(chosen, stores[-1], bus)
        await audience.start()
        await services.rollout.start()
        await services.tallies.start()
        for one in (services.rollout, services.tallies, services.trials):
            one._monotonic = lambda: clock.monotonic
        for other in (
            services.rooms,
            services.hosting,
            services.trials,
            services.tallies,
            services.closing,
        ):
            other._now = lambda: clock.now  # type: ignore[attr-defined]
        webs.append(services)
    await stores[0].leases.beat(MEDIA, "here", 0.0)
    for services in webs:
        await services.projections.leases.look()
    try:
        yield Trial(webs, stores[0], bus, clock)
    finally:
        await bus.close()
        for store in stores:
            await store.close()
        DATABASES.drop(url)
