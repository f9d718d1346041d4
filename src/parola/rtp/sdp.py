"""SDP offers of WHIP and WHEP clients and our answers (RFC 8866, RFC 8829, RFC 8839, RFC 8842, RFC 9725).

Invariant: an `Offer` is one that we can answer. It is read once, line by line, with bounds on everything, so that it
costs no more than its length; what of it returns in an answer is numbers and tokens, never free text. Candidates are
not looked at: an ICE-lite server learns addresses from authenticated requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from parola.rtp.stun import Address

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""RFC 6464: how loud a packet is, to be read without decoding."""
LONGEST = 64 << 10
"""Characters of an offer; Chromium's have 2,000 for one m-line."""
MOST_LINES = 2000
"""Chromium's have 50."""

Direction = Literal["sendonly", "recvonly"]

_INVERSE = {"sendonly": "recvonly", "recvonly": "sendonly"}
_DIRECTIONS = frozenset({"sendonly", "recvonly", "sendrecv", "inactive"})
_PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})
_DIGEST_BYTES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""In our order of preference: an offer may bring several (RFC 8122, section 5); WebRTC demands the first."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_PRINTABLE = re.compile(r"[!-~]+")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")


class SdpError(ValueError):
    """An offer that cannot be answered; the message says why, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate (RFC 8122, section 5): `algorithm` such as sha-256, `value` in hexadecimal with colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What is to be known of an offer. `mid` is empty where it has none; `red_pt` is None where there is no RED for
    its Opus; `fmtp` are the parameters of its Opus; `extensions` go from URI to number (RFC 8285)."""

    direction: Direction
    mid: str
    ufrag: str
    password: str
    fingerprint: Fingerprint
    setup: str
    opus_pt: int
    red_pt: int | None
    fmtp: dict[str, str]
    extensions: dict[str, int]
    protocol: str = "UDP/TLS/RTP/SAVPF"
    is_bundled: bool = True


def parse_offer(text: str, want: Direction) -> Offer:
    """`want` is the direction that the client's one audio line must have. Raises SdpError."""
    if len(text) > LONGEST:
        raise SdpError("The offer is too long.")
    if "\0" in text:
        raise SdpError("The offer contains NUL.")
    if text.count("\n") > MOST_LINES:
        raise SdpError("The offer has too many lines.")
    session, media = _sections(text)
    protocol, payload_types = _media_line(media.line)
    direction = media.direction or session.direction or "sendrecv"
    if direction != want:
        raise SdpError(f"The audio line must be {want}; this one is {direction}.")
    if "ice-lite" in session.values:
        # RFC 8445, section 6.1.1: of two lite agents neither sends the first check.
        raise SdpError("The server is ICE-lite, so that the client cannot be.")
    if "rtcp-mux" not in media.values and "rtcp-mux-only" not in media.values:
        raise SdpError("The offer has no a=rtcp-mux; there is one port for all.")
    mid = media.values.get("mid", "")
    if mid and not _TOKEN.fullmatch(mid):
        raise SdpError("a=mid is not a token.")
    ufrag, password = _credentials(session, media)
    opus_pt, red_pt = _codecs(media, payload_types)
    return Offer(
        direction=want,
        mid=mid,
        ufrag=ufrag,
        password=password,
        fingerprint=_fingerprint(media.fingerprints or session.fingerprints),
        setup=_setup(session, media),
        opus_pt=opus_pt,
        red_pt=red_pt,
        fmtp=_parameters(media.fmtp.get(opus_pt, "")),
        extensions={
            uri: number for uri, (number, way) in media.extensions.items() if way in ("sendrecv", want)
        },
        protocol=protocol,
        is_bundled=bool(mid) and mid in session.bundle,
    )


def answer(
    offer: Offer,
    *,
    session_id: int,
    ufrag: str,
    password: str,
    fingerprint: str,
    addresses: Sequence[Address],
    ssrc: int | None,
    cname: str,
    stream_id: str,
) -> str:
    """The complete answer of an ICE-lite server, without trickle. `fingerprint` is by sha-256; `ssrc` is of the stream
    that we send, None where we only receive; `stream_id` names that stream to the client (RFC 8830)."""
    host, port = addresses[0] if addresses else ("0.0.0.0", 9)
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {offer.mid}"] if offer.is_bundled else []),
        "a=ice-lite",
        "a=msid-semantic: WMS *",
        f"m=audio {port} {offer.protocol} {' '.join(str(pt) for pt in _preference(offer))}",
        f"c=IN {family} {host}",
        *([f"a=mid:{offer.mid}"] if offer.mid else []),
        f"a={_INVERSE[offer.direction]}",
        "a=rtcp-mux",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        f"a=fingerprint:sha-256 {fingerprint}",
        "a=setup:passive",  # RFC 8842, section 5.3; the DTLS server chooses the SRTP profile
        *_codec_lines(offer),
        *_candidates(addresses),
        "a=end-of-candidates",
    ]
    if ssrc is not None:
        lines += [f"a=msid:{stream_id} program", f"a=ssrc:{ssrc} cname:{cname}"]
    return "\r\n".join([*lines, ""])


@dataclass(slots=True)
class _Section:
    """The attributes of the session, or of the one medium. Of those that may come once, the first counts."""

    line: str = ""
    direction: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    bundle: set[str] = field(default_factory=set)
    fingerprints: list[str] = field(default_factory=list)
    rtpmap: dict[int, str] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)
    extensions: dict[str, tuple[int, str]] = field(default_factory=dict)


def _sections(text: str) -> tuple[_Section, _Section]:
    session, media = _Section(), None
    lines = text.split("\n")  # RFC 8866, section 5: a bare newline is accepted too
    if lines[0].rstrip("\r") != "v=0":
        raise SdpError("An offer begins with v=0.")
    for line in lines[1:]:
        kind, equals, value = line.rstrip("\r").partition("=")
        if not kind and not equals:
            continue
        if len(kind) != 1 or not equals:
            raise SdpError("Each line of an offer has the form x=…")
        if kind == "m":
            if media is not None:
                raise SdpError("The offer has more than one m-line.")
            media = _Section(value)
        elif kind == "a":
            _read_attribute(media or session, value)
    if media is None:
        raise SdpError("The offer has no m-line.")
    return session, media


def _read_attribute(section: _Section, text: str) -> None:
    name, _, value = text.partition(":")
    value = value.strip()
    if name in _DIRECTIONS:
        if section.direction not in (None, name):
            raise SdpError("The offer has two directions.")
        section.direction = name
    elif name == "fingerprint":
        section.fingerprints.append(value)
    elif name == "group":
        semantics, *mids = value.split() or [""]
        if semantics == "BUNDLE":
            section.bundle.update(mids)
    elif name in ("rtpmap", "fmtp"):
        digits, _, rest = value.partition(" ")
        number = _number(digits, 127)
        if number is not None:
            (section.rtpmap if name == "rtpmap" else section.fmtp).setdefault(number, rest.strip())
    elif name == "extmap":
        digits, _, uri = value.partition(" ")
        digits, _, way = digits.partition("/")
        number = _number(digits, 255)
        if number and uri:
            section.extensions.setdefault(uri.split()[0], (number, way or "sendrecv"))
    else:
        section.values.setdefault(name, value)


def _number(digits: str, most: int) -> int | None:
    """Decimal digits and nothing else (`int` takes more than that); None for anything that is not 0 to `most`."""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 5:
        return None
    number = int(digits)
    return number if number <= most else None


def _media_line(line: str) -> tuple[str, list[int]]:
    """Protocol and payload types of `audio 9 UDP/TLS/RTP/SAVPF 111 63`."""
    media, _, rest = line.partition(" ")
    port, _, rest = rest.partition(" ")
    protocol, *formats = rest.split() or [""]
    if media != "audio":
        raise SdpError("The m-line must be of audio.")
    if not _number(port, 65535):
        raise SdpError("The m-line has no port, or is refused.")
    if protocol not in _PROTOCOLS:
        raise SdpError("The m-line must be of UDP/TLS/RTP/SAVPF.")
    numbers = (_number(text, 127) for text in formats)
    # RFC 5761, section 4: where RTP shares its port with RTCP, 64 to 95 are no payload types.
    allowed = (number for number in numbers if number is not None and not 64 <= number <= 95)
    return protocol, list(dict.fromkeys(allowed))


def _credentials(session: _Section, media: _Section) -> tuple[str, str]:
    """RFC 8839, section 5.4: ufrag and password, for checks of our own."""
    found = []
    for name, least in (("ice-ufrag", 4), ("ice-pwd", 22)):
        value = media.values.get(name) or session.values.get(name) or ""
        if not least <= len(value) <= 256 or not _PRINTABLE.fullmatch(value):
            raise SdpError(f"The offer has no proper a={name}.")
        found.append(value)
    return found[0], found[1]


def _setup(session: _Section, media: _Section) -> str:
    """RFC 4145, section 4; we answer passive, so the client must be ready to begin."""
    setup = media.values.get("setup") or session.values.get("setup") or "active"
    if setup not in ("active", "actpass"):
        raise SdpError("a=setup must be actpass or active.")
    return setup


def _fingerprint(lines: list[str]) -> Fingerprint:
    found: dict[str, str] = {}
    for line in lines:
        algorithm, _, value = line.partition(" ")
        algorithm, value = algorithm.lower(), value.strip().upper()
        size = _DIGEST_BYTES.get(algorithm)
        if size is None:
            continue
        if len(value) != 3 * size - 1 or not _HEXADECIMAL.fullmatch(value):
            raise SdpError("a=fingerprint is malformed.")
        if found.setdefault(algorithm, value) != value:
            raise SdpError("The offer has two certificates.")
    for algorithm in _DIGEST_BYTES:
        if algorithm in found:
            return Fingerprint(algorithm, found[algorithm])
    raise SdpError("The offer has no a=fingerprint by sha-256, sha-384 or sha-512.")


def _codecs(media: _Section, payload_types: list[int]) -> tuple[int, int | None]:
    """Payload types of Opus (RFC 7587, section 7) and of RED around that Opus (RFC 2198, section 5)."""
    codecs = [(number, media.rtpmap.get(number, "").lower()) for number in payload_types]
    opus = next((number for number, codec in codecs if codec == "opus/48000/2"), None)
    if opus is None:
        raise SdpError("The offer has no opus/48000/2.")
    for number, codec in codecs:
        blocks = media.fmtp.get(number, str(opus)).split("/")
        if codec in ("red/48000", "red/48000/2") and set(blocks) == {str(opus)}:
            return opus, number
    return opus, None


def _parameters(text: str) -> dict[str, str]:
    """`minptime=10;useinbandfec=1` (RFC 7587, section 6.1)."""
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _preference(offer: Offer) -> Iterator[int]:
    """Chromium sends the first codec of an answer: RED is to stand before Opus where sound comes in. A listener gets
    what it needs of both, and plain Opus is what everybody plays."""
    is_whip = offer.direction == "sendonly"
    for number in (offer.red_pt, offer.opus_pt) if is_whip else (offer.opus_pt, offer.red_pt):
        if number is not None:
            yield number


def _codec_lines(offer: Offer) -> Iterator[str]:
    is_whip = offer.direction == "sendonly"
    opus, red = offer.opus_pt, offer.red_pt
    yield f"a=rtpmap:{opus} opus/48000/2"
    # A silent speaker shall cost nothing: DTX is asked for where sound comes in (RFC 7587, section 6.1).
    yield f"a=fmtp:{opus} minptime=10;useinbandfec=1{';usedtx=1' if is_whip else ''}"
    if red is not None:
        yield f"a=rtpmap:{red} red/48000/2"
        yield f"a=fmtp:{red} {opus}/{opus}"
    yield "a=ptime:20"
    if is_whip and AUDIO_LEVEL in offer.extensions:
        yield f"a=extmap:{offer.extensions[AUDIO_LEVEL]} {AUDIO_LEVEL}"


def _candidates(addresses: Iterable[Address]) -> Iterator[str]:
    """RFC 8839, section 5.1; the priority as in RFC 8445, section 5.1.2.1: host candidates, in our order."""
    for index, (host, port) in enumerate(addresses):
        priority = 126 << 24 | (65535 - index) << 8 | 255
        yield f"a=candidate:{index + 1} 1 udp {priority} {host} {port} typ host"
