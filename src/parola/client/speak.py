"""`parola speak`: sends a sound file into a room, as the account whose token or password is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from parola.client.api import Api, RoomAddress
from parola.client.webrtc import Clip, read_audio, speaking


def run(
    room_url: str,
    file: Path,
    token: str | None = None,
    handle: str | None = None,
    password: str | None = None,
    repeat: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Returns when the file has been said. Raises ValueError, ProtocolError, ConnectionFailed."""
    asyncio.run(_speak(RoomAddress.parse(room_url), file, token, handle, password, repeat, say))


async def _speak(
    room: RoomAddress,
    file: Path,
    token: str | None,
    handle: str | None,
    password: str | None,
    repeat: bool,
    say: Callable[[str], None],
) -> None:
    pcm = read_audio(file)
    async with Api(room.origin, token) as api:
        if token is None and handle is not None and password is not None:
            await api.sign_in(handle, password)
        clip = Clip(pcm, repeat)
        async with speaking(api, room.room_id, clip):
            say(f"Speaking: {file.name}, {len(pcm) / 48_000:.1f} s" + (", again and again" if repeat else ""))
            await clip.over.wait()
            await asyncio.sleep(0.5)  # the last packets are still on their way
