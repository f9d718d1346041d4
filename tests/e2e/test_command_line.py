"""`parola speak` and `parola listen` as somebody types them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from parola.client.webrtc import read_audio
from tests.e2e.conftest import as_float
from tests.e2e.hearing import intelligibility
from tests.e2e.house import House, people
from tools.speech import Clip

pytestmark = [pytest.mark.alone, pytest.mark.any_database]


async def test_what_is_spoken_from_one_file_is_heard_in_another(
    house: House, speech: dict[str, Clip], tmp_path: Path
) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "From file to file"})
        clip, heard = speech["italian-2"], tmp_path / "heard.wav"
        seconds = clip.seconds + 3
        listener = await parola("listen", room["url"], "--save", str(heard), "--seconds", str(seconds))
        await asyncio.sleep(1)
        speaker = await parola("speak", room["url"], "--file", str(clip.microphone), token=str(ada.token))
        assert await finished(speaker) == 0
        assert await finished(listener) == 0
        assert intelligibility(as_float(read_audio(clip.microphone)), as_float(read_audio(heard))) > 0.9


async def test_who_has_no_floor_is_told_so_in_one_line(house: House, speech: dict[str, Clip]) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Not yours"})
        speaker = await parola(
            "speak", room["url"], "--file", str(speech["english-1"].microphone), token=str(bob.token)
        )
        assert await finished(speaker) == 2
        assert speaker.stderr is not None
        said = (await speaker.stderr.read()).decode()
        assert "floor_required" in said
        assert "Traceback" not in said


async def test_a_wrong_address_is_told_so(house: House) -> None:
    listener = await parola("listen", f"{house.origin}/nowhere")
    assert await finished(listener) == 2


async def parola(*arguments: str, token: str = "") -> asyncio.subprocess.Process:
    environment = {**os.environ, "PAROLA_TOKEN": token} if token else dict(os.environ)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "parola", *arguments,
        env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def finished(process: asyncio.subprocess.Process) -> int:
    return await asyncio.wait_for(process.wait(), 60)
