"""Objects in a folder, and in what speaks S3: the same calls, the same answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from parola.store import Blobs, BlobsUnavailable

LISTED = """<Contents><Key>{key}</Key><LastModified>2026-05-01T12:00:00.000Z</LastModified>
<ETag>"e"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"""
PAGE = """<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name><Prefix></Prefix>
<KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{}</ListBucketResult>"""


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as is asked for, in memory; it wants a signature and does not check it."""

    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self._key] = self.rfile.read(int(self.headers["Content-Length"]))
        self._say(200)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            (prefix,) = query.get("prefix", [""])
            found = [
                LISTED.format(key=key, size=len(data))
                for key, data in sorted(self.objects.items())
                if key.startswith(prefix)
            ]
            self._say(200, PAGE.format("".join(found)).encode())
        elif self._key in self.objects:
            self._say(200, self.objects[self._key])
        else:
            self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_POST(self) -> None:
        assert urlsplit(self.path).query == "delete"
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        deleted = re.findall("<Key>([^<]*)</Key>", body)
        for key in deleted:
            self.objects.pop(key, None)
        said = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in deleted)
        self._say(200, f"<DeleteResult>{said}</DeleteResult>".encode())

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

    def _say(self, status: int, body: bytes = b"") -> None:
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
        self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Fri, 01 May 2026 12:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    handler = type("One", (Bucket,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "here")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield "s3://bucket/house"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ["file", "s3"])
async def test_what_is_put_is_read_listed_and_deleted(kind: str, tmp_path: Path, bucket: str) -> None:
    blobs = Blobs((tmp_path / "a folder" / "blobs").as_uri() if kind == "file" else bucket)
    assert await blobs.read("evidence/a") is None
    assert [blob async for blob in blobs.below("evidence")] == []
    await blobs.delete("evidence/a")
    await blobs.put("evidence/a", b"first")
    await blobs.put("evidence/a", b"second")
    await blobs.put("evidence2/b", b"elsewhere")
    assert await blobs.read("evidence/a") == b"second"
    found = [(blob.path, blob.size) async for blob in blobs.below("evidence")]
    assert found == [("evidence/a", 6)]
    for _ in range(2):
        await blobs.delete("evidence/a")
    assert await blobs.read("evidence/a") is None
    assert await Blobs(blobs._url).read("evidence2/b") == b"elsewhere"


async def test_a_storage_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder is wanted")
    blobs = Blobs((tmp_path / "blobs").as_uri())
    with pytest.raises(BlobsUnavailable):
        await blobs.put("evidence/a", b"")
