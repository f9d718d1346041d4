"""How a link looks elsewhere: the document's head, oEmbed, pictures, QR codes."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from tests.web_process import BASE, Person, WebProcess

DOCUMENT = "<!doctype html><html><head><title>Parola</title></head><body></body></html>"


@pytest.fixture(autouse=True)
def document(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(DOCUMENT)


async def head(who: Person, path: str, language: str = "en") -> dict[str, str]:
    """The properties of a document."""
    answer = await who.get(path, headers={"Accept-Language": language})
    assert answer.status == 200
    found = re.findall(r'<meta (?:property|name)="([^"]*)" content="([^"]*)" />', answer.content.decode())
    return {name: unescape(value) for name, value in found}


async def test_a_live_room_tells_what_it_is(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens(title='"Why?" <script>alert(1)</script> & more')
    said = await head(web.guest, f"/r/{room}")
    assert said["og:title"] == '"Why?" <script>alert(1)</script> & more'
    assert said["og:description"] == "Live now. Everyone can listen, without an account. Ada is the host."
    assert said["og:url"] == f"{BASE}/r/{room}"
    assert said["twitter:card"] == "summary_large_image"
    assert (await web.guest.get(f"/r/{room}")).content.count(b"<script") == 0
    await bob.put(f"/api/rooms/{room}/hands/me")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    assert (await head(web.guest, f"/r/{room}"))["og:description"].endswith("Ada is the host. With Bob.")
    italian = await head(web.guest, f"/r/{room}", "it-IT,it;q=0.9,en;q=0.5")
    assert italian["og:description"].startswith("In diretta adesso.")
    await ada.post(f"/api/rooms/{room}/end")
    assert (await head(web.guest, f"/r/{room}"))["og:description"].startswith("This room has ended.")


async def test_a_scheduled_room_tells_when(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens(starts_at="2999-01-02T03:04:05+01:00")
    assert (await head(web.guest, f"/r/{room}"))["og:description"].startswith("Begins 2999-01-02, 02:04 UTC.")


async def test_a_profile_tells_who_it_is(web: WebProcess) -> None:
    ada = await web.member("ada")
    said = await head(web.guest, "/@ada")
    assert (said["og:type"], said["og:title"]) == ("profile", "Ada (@ada)")
    assert said["og:description"] == "Live audio rooms by Ada."
    await ada.patch("/api/me", json={"bio": "Engines."})
    assert (await head(web.guest, "/@ada"))["og:description"] == "Engines."


@pytest.mark.parametrize("access", ["followers", "invited"])
async def test_a_private_room_looks_like_none_even_to_its_host(web: WebProcess, access: str) -> None:
    ada = await web.member("ada")
    room = await ada.opens(access=access)
    for who in (web.guest, ada):
        for path in (f"/r/{room}", "/r/nothing", "/@nobody", "/"):
            answer = await who.get(path)
            assert (answer.status, answer.content.decode()) == (200, DOCUMENT)
    for path in (
        f"/api/rooms/{room}/card.png",
        "/api/rooms/nothing/card.png",
        "/api/accounts/nobody/card.png",
    ):
        assert (await ada.get(path)).said == (404, "not_found")
    for url in (
        f"{BASE}/r/{room}",
        f"{BASE}/r/nothing",
        f"{BASE}/",
        "https://elsewhere.example/r/x",
        "http://[",
    ):
        assert (await ada.get("/api/oembed", params={"url": url})).said == (404, "not_found")


async def test_oembed(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens(title="Bread")
    answer = await web.guest.get("/api/oembed", params={"url": f"{BASE}/r/{room}"})
    assert answer.status == 200
    said = answer.json
    assert (said["version"], said["type"], said["title"]) == ("1.0", "link", "Bread")
    assert (said["author_name"], said["author_url"]) == ("Ada", f"{BASE}/@ada")
    linked = re.search(
        rb'application/json\+oembed" href="([^"]*)"', (await web.guest.get(f"/r/{room}")).content
    )
    assert linked is not None
    assert (await web.guest.get(unescape(linked[1].decode()).removeprefix(BASE))).json == said
    picture = await web.guest.get(said["thumbnail_url"].removeprefix(BASE))
    assert Image.open(io.BytesIO(picture.content)).size == (said["thumbnail_width"], said["thumbnail_height"])


@pytest.mark.parametrize("title", ["Bread and butter", "لماذا الخبز", "🥖" * 60, "W" * 120, "a " * 60])
async def test_pictures_of_whatever_title(web: WebProcess, title: str) -> None:
    ada = await web.member("ada")
    await ada.patch("/api/me", json={"name": "🥖🥖 Лев"})
    room = await ada.opens(title=title)
    answer = await web.guest.get(f"/api/rooms/{room}/card.png")
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert image.size == (1200, 630)
    edge = [image.getpixel((1199 - x, y)) for x in range(40) for y in range(180, 430, 3)]
    assert len(set(edge)) == 1, "the title stays off the edge"


async def test_pictures_change_with_the_room(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    path = f"/api/rooms/{room}/card.png"
    alone = (await web.guest.get(path)).content
    assert (await web.guest.get(path)).content == alone
    await bob.put(f"/api/rooms/{room}/hands/me")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    assert (await web.guest.get(path)).content != alone
    assert (await web.guest.get("/api/accounts/ada/card.png")).headers["content-type"] == "image/png"


async def test_qr_codes_are_for_those_who_may_enter(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens(access="invited")
    answer = await ada.get(f"/api/rooms/{room}/qr.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert b"<svg" in answer.content
    assert (await bob.get(f"/api/rooms/{room}/qr.svg")).said == (404, "not_found")
