"""SDP offers of WHIP and WHEP clients and our answers (RFC 8866, RFC 8839, RFC 8842, RFC 9725).

An offer is read in one pass, line by line, with bounds on everything: what it costs depends on its length alone. Only
what decides something is kept; candidates are not even looked at, since the server learns addresses from STUN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from parola.rtp.stun import Address

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
LONGEST = 64 << 10
_MOST_LINES = 2000
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+./:=?@^_`{|}~-]{1,64}")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}")
_INVERSE = {"sendonly": "recvonly", "recvonly": "sendonly"}

Direction = Literal["sendonly", "recvonly"]


class SdpError(ValueError):
    """An offer that cannot be answered; the message says which line is at fault, for people."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate (RFC 8122): `algorithm` such as sha-256, `value` in hexadecimal with colons, in any case."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What an answer has to know of an offer. `red_pt` is None where RED for Opus is not offered."""

    direction: Direction
    mid: str
    ufrag: str
    password: str
    fingerprint: Fingerprint
    opus_pt: int
    red_pt: int | None
    extensions: dict[str, int]


@dataclass(slots=True)
class _Section:
    """The lines of the session or of one medium, as they are collected."""

    media: str = ""
    values: dict[str, str] = field(default_factory=dict)
    """The first value of each attribute that comes once."""
    rtpmap: dict[int, str] = field(default_factory=dict)
    fmtp: dict[int, str] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    direction: str | None = None


def parse_offer(text: str, want: Direction) -> Offer:
    """`want` is the direction the client must have. Raises SdpError."""
    if len(text) > LONGEST:
        raise SdpError("The offer is too long.")
    if "\0" in text:
        raise SdpError("The offer contains NUL.")
    lines = text.splitlines()
    if not lines or lines[0].strip() != "v=0":
        raise SdpError("An offer begins with v=0.")
    if len(lines) > _MOST_LINES:
        raise SdpError("The offer has too many lines.")
    session, media = _sections(lines)
    if len(media) != 1 or not media[0].media.startswith("audio "):
        raise SdpError("Exactly one m-line is wanted, and of audio.")
    return _offer(session, media[0], want)


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
    """The complete answer of an ICE-lite server. `ssrc`: of the stream that we send, None where we only receive."""
    speaks = offer.direction == "sendonly"
    # Chromium sends RED only where it stands first; a listener's browser takes either as it comes.
    preferred = (offer.red_pt, offer.opus_pt) if speaks else (offer.opus_pt, offer.red_pt)
    types = " ".join(str(pt) for pt in preferred if pt is not None)
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {offer.mid}",
        "a=ice-lite",
        "a=msid-semantic: WMS *",
        f"m=audio 9 UDP/TLS/RTP/SAVPF {types}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{offer.mid}",
        f"a={_INVERSE[offer.direction]}",
        "a=rtcp-mux",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        f"a=fingerprint:sha-256 {fingerprint}",
        "a=setup:passive",
        f"a=rtpmap:{offer.opus_pt} opus/48000/2",
        # A silent speaker should cost nothing: DTX is asked for where sound comes in (RFC 7587, section 6.1).
        f"a=fmtp:{offer.opus_pt} minptime=10;useinbandfec=1" + (";usedtx=1" if speaks else ""),
        "a=ptime:20",
    ]
    if offer.red_pt is not None:
        lines += [
            f"a=rtpmap:{offer.red_pt} red/48000/2",
            f"a=fmtp:{offer.red_pt} {offer.opus_pt}/{offer.opus_pt}",
        ]
    if speaks and AUDIO_LEVEL in offer.extensions:
        lines.append(f"a=extmap:{offer.extensions[AUDIO_LEVEL]} {AUDIO_LEVEL}")
    if ssrc is not None:
        lines += [f"a=msid:{stream_id} program", f"a=ssrc:{ssrc} cname:{cname}"]
    lines += [*_candidates(addresses), "a=end-of-candidates", ""]
    return "\r\n".join(lines)


def _candidates(addresses: Sequence[Address]) -> Iterable[str]:
    """RFC 8445, section 5.1.2.1: type preference 126 for host candidates, then our order."""
    for i, (address, port) in enumerate(addresses):
        priority = (126 << 24) | ((65535 - i) << 8) | 255
        yield f"a=candidate:{i + 1} 1 udp {priority} {address} {port} typ host"


def _sections(lines: list[str]) -> tuple[_Section, list[_Section]]:
    session = section = _Section()
    media: list[_Section] = []
    for line in lines:
        kind, _, value = line.rstrip("\r").partition("=")
        if kind == "m":
            section = _Section(value)
            media.append(section)
            if len(media) > 1:
                break
        elif kind == "a":
            _attribute(section, value)
    return session, media


def _attribute(section: _Section, text: str) -> None:
    name, _, value = text.partition(":")
    if name in ("sendonly", "recvonly", "sendrecv", "inactive"):
        section.direction = name
    elif name in ("rtpmap", "fmtp"):
        number, _, rest = value.partition(" ")
        if number.isascii() and number.isdigit() and len(number) <= 3 and int(number) < 128:
            (section.rtpmap if name == "rtpmap" else section.fmtp).setdefault(int(number), rest.strip())
    elif name == "extmap":
        number, _, rest = value.partition(" ")
        number = number.partition("/")[0]
        if number.isascii() and number.isdigit() and len(number) <= 3 and 1 <= int(number) <= 255 and rest:
            section.extensions.setdefault(rest.split()[0], int(number))
    else:
        section.values.setdefault(name, value.strip())


def _offer(session: _Section, media: _Section, want: Direction) -> Offer:
    def value(name: str) -> str:
        found = media.values.get(name) or session.values.get(name)
        if not found:
            raise SdpError(f"The offer has no a={name}.")
        return found

    direction = media.direction or session.direction or "sendrecv"
    if direction != want:
        raise SdpError(f"The audio must be {want}; the offer says {direction}.")
    if "rtcp-mux" not in media.values:
        raise SdpError("a=rtcp-mux is needed.")
    setup = value("setup")
    if setup not in ("actpass", "active"):
        raise SdpError("a=setup must be actpass or active.")
    mid = media.values.get("mid", "0")
    if not _TOKEN.fullmatch(mid):
        raise SdpError("a=mid is not a token.")
    ufrag, password = value("ice-ufrag"), value("ice-pwd")
    if not _ICE_CHARS.fullmatch(ufrag) or not _ICE_CHARS.fullmatch(password) or len(password) < 22:
        raise SdpError("a=ice-ufrag or a=ice-pwd is not as RFC 8839 wants it.")
    opus, red = _payload_types(media)
    return Offer(want, mid, ufrag, password, _fingerprint(value("fingerprint")), opus, red, media.extensions)


def _fingerprint(text: str) -> Fingerprint:
    algorithm, _, digits = text.partition(" ")
    digits = digits.strip()
    if algorithm.lower() not in ("sha-256", "sha-384", "sha-512"):
        raise SdpError("a=fingerprint must be by sha-256, sha-384 or sha-512.")
    if not _HEX.fullmatch(digits):
        raise SdpError("a=fingerprint is not hexadecimal.")
    return Fingerprint(algorithm.lower(), digits.upper())


def _payload_types(media: _Section) -> tuple[int, int | None]:
    """Opus, and RED whose blocks are that Opus, in the client's order (RFC 2198, section 5)."""
    parts = media.media.split()
    if len(parts) < 4 or "SAVP" not in parts[2]:
        raise SdpError("The m-line is not of a secure RTP profile.")
    offered = [int(p) for p in parts[3:64] if p.isascii() and p.isdigit() and len(p) <= 3 and int(p) < 128]
    names = {pt: media.rtpmap.get(pt, "").lower() for pt in offered}
    opus = next((pt for pt in offered if names[pt].startswith("opus/48000")), None)
    if opus is None:
        raise SdpError("The offer has no Opus.")
    blocks = str(opus)
    red = next(
        (
            pt
            for pt in offered
            if names[pt].startswith("red/48000") and media.fmtp.get(pt, blocks).partition("/")[0] == blocks
        ),
        None,
    )
    return opus, red
