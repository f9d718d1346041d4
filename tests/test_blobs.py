"""Objects by key, in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from parola.blobs import Blobs, BlobsUnavailable


async def test_what_is_put_is_found_until_it_is_deleted(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "a folder ü").as_uri())
    assert await blobs.find("pictures/ada/one.webp") is None
    await blobs.put("pictures/ada/one.webp", b"one")
    await blobs.put("pictures/ada/two.webp", b"two")
    await blobs.put("pictures/adam/one.webp", b"his")
    assert await blobs.find("pictures/ada/one.webp") == b"one"
    assert sorted([key async for key in blobs.below("pictures/ada")]) == [
        "pictures/ada/one.webp",
        "pictures/ada/two.webp",
    ]
    await blobs.delete("pictures/ada/one.webp", "pictures/ada/one.webp", "never/there")
    assert await blobs.find("pictures/ada/one.webp") is None
    again = Blobs((tmp_path / "a folder ü").as_uri())
    assert await again.find("pictures/ada/two.webp") == b"two", "it stays where it is"


async def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    blobs = Blobs((tmp_path / "file").as_uri())
    with pytest.raises(BlobsUnavailable):
        await blobs.put("pictures/ada/one.webp", b"one")


async def test_a_bucket_that_does_not_answer_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "eu-south-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BlobsUnavailable):
        await Blobs("s3://bucket/prefix").put("pictures/ada/one.webp", b"one")
