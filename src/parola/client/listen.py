"""`parola listen`: hears a room and saves what it heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np

from parola.client.api import Api, RoomAddress
from parola.client.webrtc import RATE, listening, save


def run(
    room_url: str,
    save_to: Path | None = None,
    seconds: float | None = None,
    token: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Listens for `seconds`, or until interrupted; then saves. Raises ValueError, ProtocolError, ConnectionFailed."""
    asyncio.run(_listen(RoomAddress.parse(room_url), save_to, seconds, token, say))


async def _listen(
    room: RoomAddress,
    save_to: Path | None,
    seconds: float | None,
    token: str | None,
    say: Callable[[str], None],
) -> None:
    async with Api(room.origin, token) as api, listening(api, room.room_id) as ear:
        say("Listening; Ctrl-C ends it." if seconds is None else f"Listening for {seconds:g} s.")
        try:
            await asyncio.sleep(seconds if seconds is not None else 10**9)
        except asyncio.CancelledError:
            if seconds is not None:
                raise
        finally:
            heard = ear.heard
            if save_to is not None:
                save(heard, save_to)
            loudest = int(np.abs(heard.astype(np.int32)).max()) if heard.size else 0
            say(f"Heard {heard.size / RATE:.1f} s, loudest sample {loudest / 32768:.2f} of full scale.")
            if save_to is not None:
                say(f"Saved to {save_to}")
