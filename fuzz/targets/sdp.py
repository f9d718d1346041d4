"""An offer, as WHEP and as WHIP: answered by lines of our own making, or refused by an SdpError, in no time."""

from __future__ import annotations

import re

from parola.rtp import sdp
from parola.rtp.sdp import AUDIO_LEVEL, SdpError

_SHA_256 = ":".join(["AB"] * 32)
_OFFER = f"""v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0
c=IN IP4 0.0.0.0
a=ice-ufrag:HxLY
a=ice-pwd:SXWBqVNej3pJnc7NPCJQFhnA
a=fingerprint:sha-256 {_SHA_256}
a=setup:actpass
a=mid:0
a=extmap:1 {AUDIO_LEVEL}
a=extmap:2/recvonly urn:x
a=DIRECTION
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
"""
SEEDS = tuple(
    text.encode()
    for text in (
        _OFFER.replace("DIRECTION", "recvonly"),
        _OFFER.replace("DIRECTION", "sendonly").replace("\n", "\r\n"),
        _OFFER.replace("a=DIRECTION\n", ""),
        "v=0\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n" * 3,
        "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF " + "111 " * 50,
    )
)
_LINE = re.compile(r"[a-z]=[ -~]*")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for direction in ("recvonly", "sendonly"):
        try:
            offer = sdp.parse_offer(text, direction)  # type: ignore[arg-type]
        except SdpError:
            continue
        answer = sdp.answer(
            offer,
            session_id=1,
            ufrag="ufrag",
            password="password",
            fingerprint=_SHA_256,
            addresses=[("192.0.2.1", 7882), ("2001:db8::1", 7882)],
            ssrc=1,
            cname="room",
            stream_id="room",
        )
        *lines, last = answer.split("\r\n")
        assert last == ""
        assert all(_LINE.fullmatch(line) for line in lines), "an answer has lines that are not ours"
        assert sum(line.startswith("m=") for line in lines) == 1
