"""Takes the README's two pictures anew: the room as its host sees it at a desk, and as a listener does on a phone.

`python -m tools.pictures`. Real server, real browser, real speech; the people are made up.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser

from parola.client.api import Api
from parola.client.webrtc import Clip, listening, read_audio, speaking
from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, give_floor, opened
from tools.speech import clips

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_STAGE = ("Ada Moretti", "Bruno Keller", "Chiara Neri", "Dmitri Sokolov")
_HANDS = ("Elena Ricci", "Farid Hosseini", "Greta Lind")
_AUDIENCE = (
    "Hugo Blanc",
    "Irene Costa",
    "Jonas Weber",
    "Katia Marin",
    "Luca Ferri",
    "Mei Tanaka",
    "Nora Dahl",
)
_TITLE = "Should the old bridge be closed to cars?"


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="parola-pictures-") as folder,
        opened(House(Path(folder))) as house,
    ):
        asyncio.run(_take(house))


async def _take(house: House) -> None:
    speech = clips()["english-1"].microphone
    async with contextlib.AsyncExitStack() as stack:
        chrome = await stack.enter_async_context(browser(speech))

        async def person(name: str) -> Api:
            api = await stack.enter_async_context(Api(house.origin))
            await api.sign_up(name.split()[0].lower(), name, "correct horse battery")
            return api

        host, *speakers = [await person(name) for name in _STAGE]
        room: dict[str, Any] = await host.call("POST", "/api/rooms", {"title": _TITLE})
        for one in speakers:
            await give_floor(host, one, room["id"])
        await stack.enter_async_context(
            speaking(speakers[0], room["id"], Clip(read_audio(speech), repeat=True))
        )
        await speakers[1].call("PUT", f"/api/rooms/{room['id']}/mutes/{_STAGE[2].split()[0].lower()}")
        for name in _HANDS:
            await (await person(name)).call("PUT", f"/api/rooms/{room['id']}/hands/me")
        for name in _AUDIENCE[1:]:
            await stack.enter_async_context(listening(await person(name), room["id"]))
        desk = await _enter(chrome, house, host, room["id"], listen=False)
        await desk.tap("take-floor")
        await desk.speaking()
        phone = await _enter(
            chrome, house, await person(_AUDIENCE[0]), room["id"], width=390, height=844, scheme="dark"
        )
        await phone.listening()
        await asyncio.sleep(
            6
        )  # until the faces of the audience are there, and somebody is in the middle of a word
        await desk.page.screenshot(path=_DOCS / "room.png")
        await phone.page.screenshot(path=_DOCS / "phone.png")


async def _enter(
    chrome: Browser,
    house: House,
    who: Api,
    room_id: str,
    listen: bool = True,
    width: int = 1280,
    height: int = 800,
    scheme: Literal["light", "dark"] = "light",
) -> Visitor:
    context = await chrome.new_context(
        locale="en-GB", viewport={"width": width, "height": height}, color_scheme=scheme
    )
    await context.grant_permissions(["microphone"], origin=house.origin)
    visitor = Visitor(await context.new_page(), house.origin)
    await visitor.use_token(str(who.token))
    await visitor.open(f"/r/{room_id}")
    if listen:
        await visitor.tap("listen")
    return visitor


if __name__ == "__main__":
    main()
