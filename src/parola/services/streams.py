"""What all open streams of a web process have in common: a comment now and then, and an end with their session."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import structlog

from parola.bus import Bus, Message, subjects
from parola.bus.messages import SessionEnded
from parola.services.pace import COMMENT_EVERY_S
from parola.services.readers import Reader, Told, comment_text
from parola.services.turns import Turns
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

_SESSIONS_EVERY_S = 5.0


class Streams:
    """`run` keeps them open, and keeps watch over their sessions."""

    def __init__(self, store: Store, bus: Bus, comment_every_s: float = COMMENT_EVERY_S) -> None:
        self._store = store
        self._bus = bus
        self._readers: set[Reader] = set()
        self._sessions: defaultdict[str, set[Reader]] = defaultdict(set)
        comment = Told(comment_text(), may_be_dropped=True)
        self.comments = Turns(comment_every_s, lambda reader: reader.tell(comment))

    async def run(self) -> None:
        await self._bus.subscribe(subjects.SESSION_ENDED, self._session_ended)
        await asyncio.gather(self.comments.run(), self._keep_watch())

    def close(self) -> None:
        for reader in list(self._readers):
            reader.end()

    def add(self, reader: Reader) -> None:
        self._readers.add(reader)
        self.comments.add(reader)
        if reader.session_id is not None:
            self._sessions[reader.session_id].add(reader)

    def remove(self, reader: Reader) -> None:
        self._readers.discard(reader)
        self.comments.remove(reader)
        if reader.session_id is not None and reader.session_id in self._sessions:
            self._sessions[reader.session_id].discard(reader)
            if not self._sessions[reader.session_id]:
                del self._sessions[reader.session_id]

    async def check_sessions(self) -> None:
        """A lost message must not keep a stream of an ended session open. Raises StoreUnavailable."""
        ids = set(self._sessions)
        if ids:
            self._end_sessions(ids - await self._store.sessions.alive(ids))

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(_SESSIONS_EVERY_S)
            try:
                await self.check_sessions()
            except StoreUnavailable:
                _log.warning("streams.store_away")

    async def _session_ended(self, message: Message) -> None:
        self._end_sessions({SessionEnded.from_bytes(message.data).session_id})

    def _end_sessions(self, ids: set[str]) -> None:
        for session_id in ids:
            for reader in list(self._sessions.get(session_id, ())):
                reader.end()
