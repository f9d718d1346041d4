"""The page's files, packed and plain."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from parola.api.page import mount_page
from parola.domain.errors import NotFound

PLAIN = b"export const all = 1;\n" * 100


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "all.js").write_bytes(PLAIN)
    (tmp_path / "assets" / "all.js.gz").write_bytes(gzip.compress(PLAIN))
    (tmp_path / "assets" / "all.js.br").write_bytes(b"as brotli")
    (tmp_path / "manifest.webmanifest").write_bytes(b"{}")
    app = FastAPI()
    mount_page(app, tmp_path)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate", "gzip"),
        ("gzip;q=1.0, identity", "gzip"),
        ("GZIP", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0.000, br;q=0", None),
        ("", None),
        ("compress;q=;;, ,", None),
    ],
)
async def test_what_the_caller_can_unpack(
    page: httpx2.AsyncClient, accepted: str, coding: str | None
) -> None:
    answer = await page.get("/assets/all.js", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.content == PLAIN
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]


async def test_brotli_is_the_smallest(page: httpx2.AsyncClient) -> None:
    async with page.stream("GET", "/assets/all.js", headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert answer.headers["content-encoding"] == "br"
        assert answer.headers["content-length"] == str(len(b"as brotli"))


async def test_what_is_not_packed_is_plain(page: httpx2.AsyncClient) -> None:
    for path in ("/", "/r/any", "/@any"):
        answer = await page.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert (answer.status_code, answer.content) == (200, b"<!doctype html>")
        assert answer.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in answer.headers
    answer = await page.get("/manifest.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"


async def test_what_is_not_there(page: httpx2.AsyncClient) -> None:
    with pytest.raises(NotFound):
        await page.get("/assets/none.js")
