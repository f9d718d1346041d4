"""A host's own list of words over HTTP, and what it does in their rooms."""

from __future__ import annotations

from tests.web_process import WebProcess

WORDS = "/api/me/words"


async def test_a_host_blocks_a_word_and_takes_it_back(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    assert (await ada.post(WORDS, json={"word": " Idiot "})).status == 204
    assert (await ada.post(WORDS, json={"word": "1d10t"})).status == 204
    refused = await ada.post(WORDS, json={"word": "..."})
    assert refused.said == (422, "invalid")
    assert [one["field"] for one in refused.json["errors"]] == ["word"]
    (one,) = (await ada.get(WORDS)).json["words"]
    assert (one["word"], one.keys()) == ("Idiot", {"word", "at"})
    assert (await bob.get(WORDS)).json == {"words": []}
    refused = await ada.post("/api/rooms", json={"title": "An i-d-i-o-t"})
    assert refused.said == (422, "word_blocked")
    assert refused.json["errors"] == [{"field": "title", "message": "“Idiot” is not allowed here."}]
    assert (await bob.delete(f"{WORDS}?word=idiot")).said == (404, "not_found")
    assert (await ada.delete(f"{WORDS}?word=IDIOT")).status == 204
    assert (await ada.delete(f"{WORDS}?word=idiot")).said == (404, "not_found")


async def test_hands_are_refused_for_a_name_and_for_a_note(web: WebProcess) -> None:
    ada, bob, eve = await web.members("ada", "bob", "an_idiot")
    await ada.post(WORDS, json={"word": "Idiot"})
    hand = f"/api/rooms/{await ada.opens()}/hands/me"
    named = await eve.put(hand)
    assert named.said == (403, "word_blocked")
    assert named.json["detail"] == "The host has blocked “Idiot”, which is in your name."
    noted = await bob.put(hand, json={"note": "Hello, 1diot"})
    assert noted.said == (422, "word_blocked")
    assert noted.json["errors"] == [{"field": "note", "message": "“Idiot” is not allowed here."}]
    assert (await bob.put(hand, json={"note": "Hello"})).status == 204


async def test_whose_name_has_a_word_is_counted_and_not_shown(web: WebProcess) -> None:
    ada, bob, eve, dan = await web.members("ada", "bob", "an_idiot", "dan")
    await dan.patch("/api/me", json={"name": "Idiot Dan"})
    rooms = [await ada.opens(), await bob.opens()]
    await ada.post(WORDS, json={"word": "Idiot"})
    shown = []
    for room in rooms:
        for person in (ada, bob, eve, dan):
            await person.connects(room)
        await web.media.tell_presence(room)
        found = (await eve.get(f"/api/rooms/{room}/audience")).json
        shown.append((found["count"], {one["handle"] for one in found["people"]}))
    assert shown == [(3, {"bob"}), (3, {"ada", "an_idiot", "dan"})]
