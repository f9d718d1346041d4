"""What happened in a fault run, one JSON line for each thing, and a checker that reads it afterwards.

While a scenario runs:

    recorder = Recorder(folder / "history.jsonl")
    await recorder.call("bob", api, "PUT", f"/api/rooms/{room}/hands/me")   # as api.call; `who` is the caller's handle
    recorder.told("ada's page", room, seq, "floor.granted", data)           # an event or snapshot, as a reader got it
    recorder.owner(room, process, epoch)                                    # who holds the room now, by one observer
    peer.on_arrival = recorder.ear("carla", room, {"bob": 450.0})           # each packet, and whose tone is in it
    recorder.close()

and at its end `check(read(path))`, which is [] for a good run. All times are those of one clock, `time.monotonic` of
this process. A room needs a reader who follows it from before the first command until all has settled: what no reader
was told counts as not there.

What is proved (`Violation.rule`):
- two_owners            an epoch of a room has one owner
- epoch_back            epochs never fall, as the observer of owners and as each listener sees them
- seq_gap               a reader's numbers go up by one; only a snapshot leaps, and never back
- event_differs         every reader is told the same for a seq
- snapshot_differs      a snapshot is what the events up to it make
- command_lost          what was answered with success holds in a state that the events lead to, not before those that
                        were known when it was sent; unread_room: nobody can tell
- heard_after_silence   no packet has a voice after its revocation, mute, removal or the room's end was answered, until
                        a later grant or unmute
- heard_without_floor   nor before a first grant was even asked for

The checker knows the rules of the protocol's page, and shares no code with the server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.peer import Arrival
from fire.checking import Violation, check
from fire.voices import Voices
from parola.client.api import Api, ProtocolError

__all__ = ["Recorder", "Violation", "check", "read"]

Line = dict[str, Any]


class Recorder:
    """Writes to `path` as things happen, and keeps `lines` for those who check at once."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.lines: list[Line] = []
        self._file = path.open("a", encoding="utf-8")
        self._clock = clock
        self._commands = 0

    async def call(self, who: str, api: Api, method: str, path: str, body: object = None) -> Any:
        """As `api.call`, with when it was sent and what came back. A call that ends in neither success nor a refusal
        stays open: nobody knows whether it was done."""
        self._commands += 1
        number = self._commands
        self._write("sent", number=number, who=who, method=method, path=path)
        try:
            answer = await api.call(method, path, body)
        except ProtocolError as error:
            self._write("answered", number=number, status=error.status, code=error.code)
            raise
        told = {
            name: answer[name]
            for name in ("id", "state", "silent")
            if isinstance(answer, dict) and name in answer
        }
        self._write("answered", number=number, status=200, answer=told)
        return answer

    def told(self, reader: str, room: str, seq: int, kind: str, data: Mapping[str, Any]) -> None:
        """An event with a number, or a snapshot, when it reached a reader; each reader is one page or program."""
        self._write("told", reader=reader, room=room, seq=seq, kind=kind, data=dict(data))

    def owner(self, room: str, process: str, epoch: int) -> None:
        """What one observer sees, such as the database asked again and again; no need to say the same twice."""
        self._write("owner", room=room, process=process, epoch=epoch)

    def heard(
        self,
        listener: str,
        room: str,
        voices: Collection[str],
        at: float | None = None,
        epoch: int | None = None,
    ) -> None:
        """One packet at a listener, with those who sound in it; `epoch` where a frame was seen that says it."""
        self._write("heard", at, listener=listener, room=room, voices=sorted(voices), epoch=epoch)

    def ear(self, listener: str, room: str, tones: Mapping[str, float]) -> Callable[[Arrival], None]:
        """For `RawPeer.on_arrival`: `tones` says at what frequency each speaker's handle sounds."""
        voices = Voices(tones)

        def arrived(arrival: Arrival) -> None:
            # The kernel's stamp is of the wall clock; how long ago it was is the same on any.
            ago = max(0.0, time.time() - arrival.at)
            self.heard(listener, room, voices.of(arrival.packet), self._clock() - ago)

        return arrived

    def close(self) -> None:
        self._file.close()

    def _write(self, what: str, at: float | None = None, **fields: object) -> None:
        line: Line = {"at": self._clock() if at is None else at, "what": what, **fields}
        self.lines.append(line)
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
