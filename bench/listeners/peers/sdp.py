"""SDP towards the peers: what a server's offer or answer says of its end, and what a client of ours says to it.

An answer takes Opus and nothing else, neither RED nor NACK nor header extensions, so that every server sends the same
packets.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.listeners.signalling import Address, Local, Remote

OPUS_PT, LEVEL_ID = 111, 1
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
_OPUS_PARAMETERS = "minptime=10;useinbandfec=1"
_SENDING = frozenset({"sendonly", "sendrecv"})


@dataclass(slots=True)
class Section:
    """The session, or one m-line with its attributes; those without a value have an empty one."""

    kind: str = ""
    port: int = 9
    protocol: str = ""
    formats: tuple[str, ...] = ()
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def first(self, name: str) -> str | None:
        return self.attributes.get(name, [None])[0]

    @property
    def opus_pt(self) -> int | None:
        """None where there is no Opus in it."""
        for value in self.attributes.get("rtpmap", ()):
            pt, codec = value.split()[:2]
            if codec.lower().startswith("opus/") and pt in self.formats:
                return int(pt)
        return None

    @property
    def sends(self) -> bool:
        directions = {"sendonly", "sendrecv", "recvonly", "inactive"} & self.attributes.keys()
        return self.port > 0 and (not directions or bool(directions & _SENDING))


@dataclass(frozen=True, slots=True)
class Description:
    session: Section
    media: tuple[Section, ...]

    def first(self, name: str) -> str | None:
        """Of the first m-line that says it, else of the session: BUNDLE makes all others equal."""
        return next((v for section in (*self.media, self.session) if (v := section.first(name))), None)

    @property
    def streams(self) -> int:
        """How many lines of it carry sound from the server."""
        return sum(s.kind == "audio" and s.sends and s.opus_pt is not None for s in self.media)


def parse(text: str) -> Description:
    session = Section()
    media: list[Section] = []
    for line in text.splitlines():
        section = media[-1] if media else session
        if line.startswith("m="):
            kind, port, protocol, *formats = line[2:].split()
            media.append(Section(kind, int(port), protocol, tuple(formats)))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            section.attributes.setdefault(name, []).append(value)
    return Description(session, tuple(media))


def remote(said: Description, trickled: Iterable[str] = (), we_offered: bool = False) -> Remote:
    """The server's end; `trickled`: candidates that came beside its SDP (`candidate:…`). Raises ValueError where
    something is missing. RFC 8445, section 6.1.1: who offers controls, and against a lite agent the other one does."""
    ufrag, password, fingerprint = (said.first(n) for n in ("ice-ufrag", "ice-pwd", "fingerprint"))
    inside = [value for section in said.media for value in section.attributes.get("candidate", ())]
    addresses = candidates([*inside, *trickled])
    if not (ufrag and password and fingerprint and addresses):
        raise ValueError("the server's SDP lacks ICE, DTLS or a candidate")
    algorithm, value = fingerprint.split()
    sound = next((s for s in said.media if s.opus_pt is not None), None)
    levels = [v for v in (sound.attributes.get("extmap", []) if sound else []) if v.endswith(AUDIO_LEVEL)]
    return Remote(
        ufrag=ufrag,
        password=password,
        addresses=addresses,
        fingerprint=value.upper(),
        algorithm=algorithm.lower(),
        controlling=we_offered or "ice-lite" in said.session.attributes,
        opus_pt=(sound.opus_pt if sound else None) or OPUS_PT,
        level_id=int(levels[0].split()[0].partition("/")[0]) if levels else None,
    )


def candidates(lines: Sequence[str]) -> tuple[Address, ...]:
    """UDP over IPv4, in order of priority, each once (RFC 8839, section 5.1)."""
    found: dict[Address, int] = {}
    for line in lines:
        words = line.removeprefix("candidate:").split()
        if len(words) >= 6 and words[1] == "1" and words[2].lower() == "udp" and ":" not in words[4]:
            found.setdefault((words[4], int(words[5])), int(words[3]))
    return tuple(sorted(found, key=lambda address: -found[address]))


def answer(offer: Description, local: Local) -> str:
    """Takes the sound, and data channels as a browser does, on which nobody ever says a word; refuses the rest."""
    mids = [s.first("mid") or "" for s in offer.media if _is_taken(s)]
    lines = [*_head(), f"a=group:BUNDLE {' '.join(mids)}"]
    for section in offer.media:
        taken, pt = _is_taken(section), section.opus_pt
        formats = str(pt) if pt is not None else " ".join(section.formats)
        lines += [
            f"m={section.kind} {9 if taken else 0} {section.protocol} {formats}",
            "c=IN IP4 127.0.0.1",
            f"a=mid:{section.first('mid') or ''}",
        ]
        if taken:
            lines += [*_transport(local, "active"), *_candidate(local)]
        if pt is not None:
            lines += [f"a={'recvonly' if section.sends else 'inactive'}", *_opus(pt)]
        elif section.kind == "application":
            lines.append("a=sctp-port:5000")
        else:
            lines.append("a=inactive")
    return _text(lines)


def offer(local: Local, track: str) -> str:
    """Of one who speaks; `track` is the id under which the server was told of it."""
    return _text(
        [
            *_head(),
            "a=group:BUNDLE 0",
            f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PT}",
            "c=IN IP4 127.0.0.1",
            "a=mid:0",
            *_transport(local, "active"),  # pion answers actpass by being the client itself
            *_candidate(local),
            f"a=extmap:{LEVEL_ID} {AUDIO_LEVEL}",
            "a=sendonly",
            f"a=msid:bench {track}",
            *_opus(OPUS_PT),
            f"a=ssrc:{local.ssrc} cname:bench",
            f"a=ssrc:{local.ssrc} msid:bench {track}",
        ]
    )


def _is_taken(section: Section) -> bool:
    return section.kind == "application" or (section.port > 0 and section.opus_pt is not None)


def _head() -> list[str]:
    return [
        "v=0",
        f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
    ]


def _transport(local: Local, setup: str) -> list[str]:
    return [
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        f"a=setup:{setup}",
        "a=rtcp-mux",
    ]


def _candidate(local: Local) -> list[str]:
    host, port = local.address
    return [f"a=candidate:1 1 udp 2130706431 {host} {port} typ host", "a=end-of-candidates"]


def _opus(pt: int) -> list[str]:
    return [f"a=rtpmap:{pt} opus/48000/2", f"a=fmtp:{pt} {_OPUS_PARAMETERS}"]


def _text(lines: Iterable[str]) -> str:
    return "".join(line + "\r\n" for line in lines)
