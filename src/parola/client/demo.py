"""`parola demo`: a live room to look at and listen to at once: a host and speakers who take turns and interrupt.

With no server named it starts one of its own, with a data folder that is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import numpy as np

from parola.client.api import Api
from parola.client.synthesis import synthesise
from parola.client.webrtc import RATE, Clip, Pcm, read_audio, speaking

PEOPLE = (("ada", "Ada Lovelace"), ("bruno", "Bruno Munari"), ("chiara", "Chiara Corbella"))
READY_TIMEOUT_S = 60.0
TURN_S = 6.0


def run(url: str | None = None, speech: Path | None = None, say: Callable[[str], None] = print) -> None:
    """Goes on until interrupted. `speech` is a folder of sound files; without it a voice is synthesised."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_demo(url, speech, say))


async def _demo(url: str | None, speech: Path | None, say: Callable[[str], None]) -> None:
    voices = _voices(speech, say)
    async with contextlib.AsyncExitStack() as stack:
        origin = url.rstrip("/") if url is not None else await stack.enter_async_context(_own_server(say))
        people = []
        for handle, name in PEOPLE:
            api = await stack.enter_async_context(Api(origin))
            await api.sign_up(f"{handle}_{secrets.token_hex(3)}", name, secrets.token_urlsafe(12))
            people.append(api)
        host, *guests = people
        room = await host.call("POST", "/api/rooms", {"title": "Parola demo: three voices"})
        for guest in guests:
            await guest.call("PUT", f"/api/rooms/{room['id']}/hands/me")
            me = await guest.call("GET", "/api/me")
            await host.call("PUT", f"/api/rooms/{room['id']}/floor/{me['handle']}")
        clips = [Clip(np.zeros(0, np.int16)) for _ in people]
        for api, clip in zip(people, clips, strict=True):
            await stack.enter_async_context(speaking(api, room["id"], clip))
        say(f"The room is live: {room['url']}   (Ctrl-C ends it)")
        await _converse(clips, voices)


async def _converse(clips: list[Clip], voices: list[Pcm]) -> None:
    """Turns of six seconds; every fourth turn two talk at once."""
    at = [0] * len(voices)

    def next_words(speaker: int) -> Pcm:
        voice, length = voices[speaker], int(TURN_S * RATE)
        words = np.take(voice, range(at[speaker], at[speaker] + length), mode="wrap")
        at[speaker] = (at[speaker] + length) % len(voice)
        return words

    turn = 0
    while True:
        speaker = turn % len(clips)
        clips[speaker].play(next_words(speaker))
        if turn % 4 == 3:
            other = (speaker + 1) % len(clips)
            clips[other].play(next_words(other))
        await asyncio.sleep(TURN_S + 0.4)
        turn += 1


def _voices(speech: Path | None, say: Callable[[str], None]) -> list[Pcm]:
    files = (
        sorted(p for p in speech.iterdir() if p.suffix in (".wav", ".ogg", ".flac", ".mp3")) if speech else []
    )
    if files:
        return [read_audio(files[i % len(files)]) for i in range(len(PEOPLE))]
    say("No speech files: the voices are synthesised.")
    return [synthesise(i) for i in range(len(PEOPLE))]


@contextlib.asynccontextmanager
async def _own_server(say: Callable[[str], None]) -> AsyncIterator[str]:
    port = os.environ.get("PAROLA_HTTP_PORT", "8080")
    origin = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory(prefix="parola-demo-") as folder:
        environment = {**os.environ, "PAROLA_DATA_DIR": folder}
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parola", "serve", env=environment
        )
        try:
            await _ready(origin, server)
            yield origin
        finally:
            if server.returncode is None:
                server.send_signal(signal.SIGTERM)
                await server.wait()


async def _ready(origin: str, server: asyncio.subprocess.Process) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_TIMEOUT_S
    async with aiohttp.ClientSession() as http:
        while loop.time() < deadline:
            if server.returncode is not None:
                raise SystemExit("The demo's server did not start; its own words stand above.")
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(origin + "/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise SystemExit("The demo's server was not ready within a minute.")
