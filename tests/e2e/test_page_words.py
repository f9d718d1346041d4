"""A host blocks a word: whoever has it in their note, or in their name, is told so in their own language."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.e2e.browsing import Visitor
from tests.e2e.house import House, people
from tests.e2e.looking import look, visiting

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(180)]


async def says(visitor: Visitor, label: str, words: str) -> None:
    await visitor.page.get_by_test_id(label).filter(has_text=words).wait_for()


async def test_a_word_of_the_hosts_in_a_note_and_in_a_name(house: House, chrome: Browser) -> None:
    async with (
        people(house, "ada", "bob", "carla") as (ada, bob, carla),
        visiting(house, chrome, ada) as host,
        visiting(house, chrome, bob) as asker,
        visiting(house, chrome, carla, locale="it-IT") as named,
    ):
        await carla.call("PATCH", "/api/me", {"name": "Carla the Ídiot"})
        room = await ada.call("POST", "/api/rooms", {"title": "Questions"})
        await host.open("/settings")
        await host.sees("host-words-none")
        await look(host.page, "words-none")
        field = host.page.get_by_test_id("word")
        await field.fill("!?")
        await field.press("Enter")
        await says(host, "word-fault", "a letter or a digit")
        for word in ("Idiot", "two words"):
            await field.fill(word)
            await field.press("Enter")
            await host.page.get_by_role("button", name=f"Allow again: {word}").wait_for()
        await look(host.page, "words")

        for visitor in (asker, named):
            await visitor.open(f"/r/{room['id']}")
            await visitor.tap("raise-hand")
        await says(named, "notice", "L’host ha bloccato la parola «Idiot», che è nel tuo nome")
        await look(named.page, "words-name")
        await asker.tap("note-hand")
        note = asker.page.get_by_test_id("note")
        await note.fill("What an 1d10t")
        await asker.tap("note-save")
        await says(asker, "note-fault", "The word “Idiot” is not allowed here.")
        await look(asker.page, "words-note")
        await note.fill("What a day")
        await asker.tap("note-save")
        await asker.sees_no("note")
        hands = (await ada.call("GET", f"/api/rooms/{room['id']}"))["hands"]
        assert [hand["note"] for hand in hands] == ["What a day"]

        back = host.page.get_by_role("button", name="Allow again: Idiot")
        await back.focus()
        await back.press("Enter")
        await back.wait_for(state="detached")
        assert await field.evaluate("field => field === document.activeElement")
        await named.tap("raise-hand")
        await named.sees("lower-hand")
        for visitor in (host, asker, named):
            assert visitor.problems == []
