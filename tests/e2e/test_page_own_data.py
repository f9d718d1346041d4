"""What is one's own, on the real page: a picture that others see, a copy of everything, and an end that is silent."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser

from tests.e2e.browsing import Visitor, keeps
from tests.e2e.house import House, eventually, give_floor, people
from tests.e2e.looking import look, visiting
from tests.services.test_images import drawn

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(240)]

_SEEN = "one => one.complete && one.naturalWidth > 0"


async def set_picture(visitor: Visitor, handle: str, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(drawn("PNG", (900, 600)))
    await visitor.open(f"/@{handle}")
    await visitor.tap("edit-profile")
    await visitor.page.get_by_test_id("picture-file").set_input_files(file)
    await visitor.sees("picture-preview")
    await visitor.page.get_by_test_id("picture-zoom").focus()
    for key in ("ArrowRight", "ArrowRight", "Tab", "ArrowLeft"):
        await visitor.page.keyboard.press(key)
    await visitor.tap("picture-use")
    await visitor.sees("picture-remove")


async def test_a_picture_is_seen_by_others_and_goes_again(
    house: House, chrome: Browser, tmp_path: Path
) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        handle = str((await bob.call("GET", "/api/me"))["handle"])
        room = await ada.call("POST", "/api/rooms", {"title": "Faces"})
        await give_floor(ada, bob, room["id"])
        async with visiting(house, chrome, bob) as his, visiting(house, chrome) as guest:
            await set_picture(his, handle, tmp_path)
            await guest.open(f"/r/{room['id']}")
            face = guest.page.get_by_test_id(f"speaker-{handle}").locator("img")
            await face.wait_for()
            await eventually(lambda: face.evaluate(_SEEN))
            assert "?size=400" in str(await face.get_attribute("src"))
            await his.tap("picture-remove")
            await his.sees_no("picture-remove")

            async def is_gone() -> bool:
                await guest.page.reload()
                await guest.sees(f"speaker-{handle}")
                return await face.count() == 0

            await eventually(is_gone)  # a snapshot is shown to all for a second
            assert his.problems == guest.problems == []


@pytest.mark.alone
async def test_a_speaker_takes_a_copy_deletes_the_account_and_is_silent(
    house: House, chrome: Browser, tmp_path: Path
) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        handle = str((await bob.call("GET", "/api/me"))["handle"])
        room = await ada.call("POST", "/api/rooms", {"title": "The last words"})
        await give_floor(ada, bob, room["id"])
        async with visiting(house, chrome, bob) as his, visiting(house, chrome, ada) as hers:
            await hers.open(f"/r/{room['id']}")
            await hers.tap("listen")
            await hers.listening()
            await hers.record()
            await his.open(f"/r/{room['id']}")
            await his.tap("take-floor")
            await his.speaking()
            await eventually(lambda: is_loud(hers), 20)
            settings = Visitor(await his.page.context.new_page(), house.origin)
            await settings.open("/settings")
            async with settings.page.expect_download() as expected:
                await settings.tap("export")
            copy = tmp_path / "copy.zip"
            await (await expected.value).save_as(copy)
            with zipfile.ZipFile(copy) as archive:
                assert json.loads(archive.read("profile.json"))["handle"] == handle
            await settings.page.get_by_test_id("delete-handle").fill("somebody_else")
            assert await settings.page.get_by_test_id("delete-submit").is_disabled()
            await settings.page.get_by_test_id("delete-handle").fill(f"@{handle}")
            async with settings.page.expect_response("**/api/me/deletion") as answered:
                await settings.tap("delete-submit")
            assert (await answered.value).status == 200
            await hers.sees_no(f"speaker-{handle}")
            await eventually(lambda: is_quiet(hers), 3)  # what the browser held is played to its end
            await asyncio.sleep(1.5)
            assert np.abs((await hers.take()).astype(np.int32)).max() < 50, "silent"
            await settings.page.wait_for_url(house.origin + "/")
            await settings.sees("sign-in")
            shown = await ada.call("GET", f"/api/rooms/{room['id']}")
            assert len(shown["speakers"]) == 1
            assert hers.problems == settings.problems == []


async def test_the_language_goes_with_the_account(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        async with visiting(house, chrome, ada) as hers:
            await hers.open("/settings")
            await hers.page.get_by_role("heading", name="Settings", exact=True).wait_for()
            async with hers.page.expect_response(keeps(language="it")):
                await hers.page.get_by_test_id("language").select_option("it")
            await hers.page.get_by_role("heading", name="Impostazioni", exact=True).wait_for()
        async with visiting(house, chrome, ada) as elsewhere:
            await elsewhere.open("/settings")
            await elsewhere.page.get_by_role("heading", name="Impostazioni", exact=True).wait_for()
            assert hers.problems == elsewhere.problems == []


async def test_what_is_ones_own_looks_well(house: House, chrome: Browser, tmp_path: Path) -> None:
    async with people(house, "ada") as (ada,):
        handle = str((await ada.call("GET", "/api/me"))["handle"])
        async with visiting(house, chrome, ada) as hers:
            await hers.open("/settings")
            await hers.sees("elsewhere")
            await hers.tap("way-mastodon")
            await look(hers.page, "settings")
            await hers.open(f"/@{handle}")
            await hers.tap("edit-profile")
            file = tmp_path / "picture.png"
            file.write_bytes(drawn("PNG", (900, 600)))
            await hers.page.get_by_test_id("picture-file").set_input_files(file)
            await hers.sees("picture-preview")
            await look(hers.page, "picture")
            await hers.open("/welcome?problem=sign_in_expired")
            await hers.sees("welcome-problem")
            await look(hers.page, "welcome")
        async with visiting(house, chrome) as guest:
            await guest.open("/")
            await guest.tap("sign-in")
            await guest.sees("sign-in-elsewhere")
            await look(guest.page, "sign-in-elsewhere")


async def is_quiet(visitor: Visitor) -> bool:
    await asyncio.sleep(0.3)
    sound = (await visitor.take()).astype(np.int32)
    return bool(len(sound)) and int(np.abs(sound).max()) < 50


async def is_loud(visitor: Visitor) -> bool:
    sound = await visitor.take()
    return bool(len(sound)) and float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) > 300
