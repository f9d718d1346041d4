"""SDP of the kind that a browser offers for one audio line, and what of an answer a client of ours needs."""

from __future__ import annotations

import secrets

from bench.listeners.signalling import Local, Remote

OPUS_PT, RED_PT, LEVEL_ID = 111, 63, 1

_OFFER = """v=0
o=- {session} 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF {opus} {red}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:0
a=extmap:{level} urn:ietf:params:rtp-hdrext:ssrc-audio-level
a={direction}
a=rtcp-mux
a=rtpmap:{opus} opus/48000/2
a=fmtp:{opus} minptime=10;useinbandfec=1
a=rtpmap:{red} red/48000/2
a=fmtp:{red} {opus}/{opus}
"""


def offer(local: Local, direction: str) -> str:
    """`direction`: sendonly or recvonly. Candidates are left out: an ICE-lite server does not look at them."""
    return _OFFER.format(
        session=secrets.randbits(60), opus=OPUS_PT, red=RED_PT, level=LEVEL_ID, ufrag=local.ufrag,
        password=local.password, fingerprint=local.fingerprint, direction=direction,
    ).replace("\n", "\r\n")  # fmt: skip


def answered(answer: str, controlling: bool = True) -> Remote:
    """The server's end, out of its answer to such an offer. Raises KeyError for what is none."""
    lines: dict[str, list[str]] = {}
    for line in answer.splitlines():
        name, _, value = line.removeprefix("a=").partition(":")
        lines.setdefault(name, []).append(value)
    candidates = [value.split() for value in lines["candidate"]]
    payload_types = {codec.split("/")[0].lower(): int(pt) for pt, codec in map(str.split, lines["rtpmap"])}
    levels = [v.split()[0] for v in lines.get("extmap", []) if v.endswith("ssrc-audio-level")]
    algorithm, fingerprint = lines["fingerprint"][0].split()
    return Remote(
        ufrag=lines["ice-ufrag"][0],
        password=lines["ice-pwd"][0],
        addresses=tuple((c[4], int(c[5])) for c in candidates if c[2].lower() == "udp" and ":" not in c[4]),
        fingerprint=fingerprint,
        algorithm=algorithm,
        controlling=controlling,
        opus_pt=payload_types["opus"],
        red_pt=payload_types.get("red"),
        level_id=int(levels[0].partition("/")[0]) if levels else None,
    )
