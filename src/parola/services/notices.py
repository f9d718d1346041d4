"""What concerns an account wherever on the page it is: that a room of somebody it follows has started.

Nothing is written down for anybody. Who starts a room says so once, on the bus; each web process knows who is connected
to it, and asks the store in slices which of those are to be told. What else is to carry the word to people who are not
here listens to the same subject.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator

import structlog

from parola.bus import Bus, Message, subjects
from parola.bus.messages import MessageError, RoomStarted
from parola.domain.rooms import Access
from parola.services.caller import Caller
from parola.services.pieces import pieces
from parola.services.readers import Outlet, Reader, Told, event_text
from parola.services.streams import Streams
from parola.services.views import Views
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

ACCOUNTS_PER_SLICE = 500
_MOST_WAITING = 1000
"""Rooms that have started and are still to be told of."""


class Notices:
    """`start` makes it listen; `follow` begins a stream for an account."""

    def __init__(self, store: Store, bus: Bus, views: Views, streams: Streams) -> None:
        self._store = store
        self._bus = bus
        self._views = views
        self._streams = streams
        self._readers: defaultdict[str, set[Reader]] = defaultdict(set)

    async def start(self) -> None:
        await self._bus.subscribe(subjects.ROOM_STARTED, self._room_started, pending=_MOST_WAITING)

    async def follow(self, caller: Caller, outlet: Outlet) -> None:
        """Returns when it has begun. Raises NotSignedIn."""
        account_id = caller.signed_in().account.id
        reader = Reader(caller, outlet, self._ended)
        self._readers[account_id].add(reader)
        self._streams.add(reader)
        reader.begin(0, ())

    async def read(self, caller: Caller) -> AsyncGenerator[bytes]:
        """The same, for whoever takes one piece after the other."""
        async for piece in pieces(lambda outlet: self.follow(caller, outlet)):
            yield piece

    def _ended(self, reader: Reader) -> None:
        self._streams.remove(reader)
        theirs = self._readers.get(reader.account_id or "", set())
        theirs.discard(reader)
        if not theirs:
            self._readers.pop(reader.account_id or "", None)

    async def _room_started(self, message: Message) -> None:
        if not self._readers:
            return
        try:
            started = RoomStarted.from_bytes(message.data)
            access = Access(started.access)
            told = Told(event_text("room.started", await self._views.notice(started)))
            accounts = list(self._readers)
            for at in range(0, len(accounts), ACCOUNTS_PER_SLICE):
                part = accounts[at : at + ACCOUNTS_PER_SLICE]
                for account_id in await self._store.relations.to_be_told(
                    started.host_id, started.room_id, access, part
                ):
                    for reader in list(self._readers.get(account_id, ())):
                        reader.tell(told)
                await asyncio.sleep(0)
        except (MessageError, ValueError, StoreUnavailable) as error:
            # The list of live rooms has it all the same.
            _log.warning("notices.dropped", reason=str(error)[:200])
