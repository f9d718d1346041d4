"""Pictures from outside: what is looked at before anything is decoded, and what is left of one."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from parola.domain.errors import Invalid, Refusal
from parola.services import images


def drawn(kind: str, size: tuple[int, int] = (60, 40), mode: str = "RGB", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, kind, **more)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A few hundred bytes that claim so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (60, 40), (3000, 17)])
def test_what_is_kept_are_two_squares_without_metadata(kind: str, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x8825] = {1: "N", 2: (45.0, 27.0, 0.0)}
    data = drawn(kind, size, exif=exif, icc_profile=b"a profile" * 20)
    assert images.check(data) == kind
    kept = images.redraw(data, kind)
    assert set(kept) == set(images.SIZES)
    for edge, picture in kept.items():
        with Image.open(io.BytesIO(picture)) as image:
            assert (image.format, image.size) == ("WEBP", (edge, edge))
            assert not image.getexif()
            assert "icc_profile" not in image.info
        assert b"camera" not in picture
        assert len(picture) < 100_000


@pytest.mark.parametrize("more", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_every_kind_of_webp_is_measured(more: dict[str, Any]) -> None:
    assert images.measure(drawn("WEBP", (321, 123), **more)) == ("WEBP", 321, 123)


@pytest.mark.parametrize("more", [{}, {"progressive": True}, {"quality": 20}])
def test_every_kind_of_jpeg_is_measured(more: dict[str, Any]) -> None:
    assert images.measure(drawn("JPEG", (321, 123), **more)) == ("JPEG", 321, 123)


def test_a_picture_stands_as_it_was_held() -> None:
    image = Image.new("RGB", (90, 90), "red")
    image.paste("blue", (0, 0, 90, 45))
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 3  # upside down
    image.save(out, "JPEG", exif=exif, quality=95)
    with Image.open(io.BytesIO(images.redraw(out.getvalue(), "JPEG")[96])) as upright:
        red, blue = upright.convert("RGB").getpixel((48, 10)), upright.convert("RGB").getpixel((48, 86))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert red[0] > 200 > 100 > red[2]
    assert blue[2] > 200 > 100 > blue[0]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16"])
def test_every_mode_of_png_is_taken(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (50, 50)).save(out, "PNG")
    assert set(images.redraw(out.getvalue(), "PNG")) == set(images.SIZES)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unsupported_media_type"),
        (b"GIF89a" + b"\0" * 40, "unsupported_media_type"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "unsupported_media_type",
        ),
        (b"\xff\xd8\xff" + b"x" * (5 << 20), "too_large"),
        (png_of(60_000, 60_000), "too_large"),
        (png_of(5001, 5000), "too_large"),
        (png_of(0, 10), "invalid"),
        (b"\x89PNG\r\n\x1a\n", "invalid"),
        (b"\xff\xd8\xff\xe0", "invalid"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "invalid"),
        (b"RIFF\x20\0\0\0WEBPVP8X" + b"\n\0\0\0\0\0\0\0" + b"\xff" * 20, "too_large"),
    ],
    ids=[
        "nothing",
        "gif",
        "svg",
        "bytes",
        "bomb",
        "pixels",
        "flat",
        "headless",
        "cut",
        "cut webp",
        "webp bomb",
    ],
)
def test_what_is_refused_before_it_is_decoded(data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        images.check(data)
    assert refused.value.code == code


def test_what_claims_little_and_holds_nothing_is_refused_when_it_is_decoded() -> None:
    data = png_of(100, 100)
    with pytest.raises(Invalid):
        images.redraw(data, images.check(data))


def test_a_jpeg_with_more_scans_than_any_camera_writes_is_refused_before_it_is_decoded() -> None:
    whole = drawn("JPEG", progressive=True)
    first = whole.index(b"\xff\xda")
    second = whole.index(b"\xff\xda", first + 2)
    scan, found = whole[first:second], whole.count(b"\xff\xda")
    most = whole[:first] + scan * (100 - found) + whole[first:]
    assert images.check(most) == "JPEG"
    with pytest.raises(Invalid):
        images.check(most[:first] + scan + most[first:])


def test_a_second_frame_that_is_larger_is_refused() -> None:
    whole = drawn("JPEG")
    at = whole.index(b"\xff\xc0")
    frame = whole[at : at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")]
    bomb = whole[:at] + frame + frame[:5] + b"\xea\x60\xea\x60" + frame[9:] + whole[at + len(frame) :]
    assert images.measure(bomb) == ("JPEG", 60, 40)
    with pytest.raises(Invalid):
        images.redraw(bomb, images.check(bomb))


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]),
)
def test_no_bytes_raise_anything_else(tail: bytes, head: bytes) -> None:
    data = head + tail
    try:
        images.redraw(data, images.check(data))
    except Refusal:
        return


@given(st.data())
def test_nor_does_a_picture_that_was_damaged(data: st.DataObject) -> None:
    whole = bytearray(drawn(data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))))
    for _ in range(4):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        images.redraw(bytes(whole), images.check(bytes(whole)))
    except Refusal:
        return
