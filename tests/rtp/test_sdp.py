"""SDP: the offers of three kinds of clients, what an answer must say to each, and offers that mean harm."""

from __future__ import annotations

import contextlib
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.sdp import AUDIO_LEVEL, LONGEST, Direction, Fingerprint, Offer, SdpError, answer, parse_offer

SHA_256 = ":".join(["AB"] * 32)
SHA_512 = ":".join(["CD"] * 64)

# Chromium 156: RED beside Opus, candidates hidden behind mDNS names.
CHROMIUM = f"""v=0
o=- 1254737842412902174 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:793362032 1 udp 2113937151 9a93eb21-3463-4240-becd-548dd1add887.local 51514 typ host generation 0
a=ice-ufrag:HxLY
a=ice-pwd:SXWBqVNej3pJnc7NPCJQFhnA
a=ice-options:trickle
a=fingerprint:sha-256 {SHA_256}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendonly
a=msid:- 5aeba58a-38a3-437e-bb5b-78b4ee8a1ef8
a=rtcp-mux
a=rtcp-rsize
a=rtcp-xr:rcvr-rtt=all
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1515050521 cname:72wuLzCWWYdPWp1F
a=ssrc:1515050521 msid:- 5aeba58a-38a3-437e-bb5b-78b4ee8a1ef8
"""

# Firefox: fingerprint and a direction for the session, another direction for the medium, no RED.
FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 6189245116240478341 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 {SHA_256}
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=recvonly
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:2e1d9d31a5e1d3e5b9f0d5d4e4a0e8b1
a=ice-ufrag:2b0d1c4f
a=mid:0
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:1433250117 cname:{{d2a3a1a2-6a3f-4f5c-9d3f-5e7d3f0c2b1a}}
"""

# aiortc: one fingerprint for each of three digests, another payload type, candidates of the machine.
AIORTC = f"""v=0
o=- 4004428467 4004428467 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=audio 43030 UDP/TLS/RTP/SAVPF 96 9 0 8
c=IN IP4 192.0.2.2
a=recvonly
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=mid:0
a=msid:e879d28e-f6dc-4c38-aff4-9893bb0ea49a c8110c28-d19a-470d-a509-2805cf884b9e
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-mux
a=ssrc:3080595149 cname:b85ff95a-837f-424a-a2b3-9a364808a458
a=rtpmap:96 opus/48000/2
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 43030 typ host
a=end-of-candidates
a=ice-ufrag:ZSsn
a=ice-pwd:zfEPKx5aqgxz1zNKEN87sY
a=fingerprint:sha-512 {SHA_512}
a=fingerprint:sha-256 {SHA_256}
a=setup:actpass
"""


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def offered(text: str = CHROMIUM, want: Direction = "sendonly") -> Offer:
    return parse_offer(crlf(text), want)


def answered(offer: Offer, ssrc: int | None = None) -> list[str]:
    text = answer(
        offer,
        session_id=42,
        ufrag="ours",
        password="our-password-of-22-chs",
        fingerprint=SHA_256,
        addresses=[("192.0.2.9", 7882), ("2001:db8::9", 7882)],
        ssrc=ssrc,
        cname="room",
        stream_id="room" if ssrc is not None else "",
    )
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    return text.split("\r\n")[:-1]


def without(text: str, *starts: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(starts))


def test_chromium() -> None:
    assert offered() == Offer(
        direction="sendonly",
        mid="0",
        ufrag="HxLY",
        password="SXWBqVNej3pJnc7NPCJQFhnA",
        fingerprint=Fingerprint("sha-256", SHA_256),
        setup="actpass",
        opus_pt=111,
        red_pt=63,
        fmtp={"minptime": "10", "useinbandfec": "1"},
        extensions={
            AUDIO_LEVEL: 1,
            "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": 2,
            "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": 3,
            "urn:ietf:params:rtp-hdrext:sdes:mid": 4,
        },
    )


def test_firefox() -> None:
    offer = offered(FIREFOX, "recvonly")
    assert (offer.opus_pt, offer.red_pt) == (109, None)
    assert offer.fingerprint == Fingerprint("sha-256", SHA_256)
    assert offer.fmtp["stereo"] == "1"
    assert offer.extensions["urn:ietf:params:rtp-hdrext:csrc-audio-level"] == 2


def test_aiortc() -> None:
    offer = offered(AIORTC, "recvonly")
    assert offer.opus_pt == 96
    assert offer.extensions[AUDIO_LEVEL] == 2
    assert offer.fingerprint == Fingerprint("sha-256", SHA_256), "the one that all must have"


def test_bare_newlines_and_a_missing_last_one_are_accepted() -> None:
    assert parse_offer(CHROMIUM, "sendonly") == parse_offer(crlf(CHROMIUM).rstrip(), "sendonly") == offered()


def test_the_answer_to_a_speaker() -> None:
    lines = answered(offered())
    assert lines[:7] == [
        "v=0", "o=- 42 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=ice-lite", "a=msid-semantic: WMS *",
    ]  # fmt: skip
    assert lines[7:9] == ["m=audio 7882 UDP/TLS/RTP/SAVPF 63 111", "c=IN IP4 192.0.2.9"], "RED comes first"
    assert set(lines[9:]) == {
        "a=mid:0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=ice-ufrag:ours",
        "a=ice-pwd:our-password-of-22-chs",
        f"a=fingerprint:sha-256 {SHA_256}",
        "a=setup:passive",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=ptime:20",
        f"a=extmap:1 {AUDIO_LEVEL}",
        "a=candidate:1 1 udp 2130706431 192.0.2.9 7882 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::9 7882 typ host",
        "a=end-of-candidates",
    }


def test_the_answer_to_a_listener() -> None:
    text = CHROMIUM.replace("a=sendonly", "a=recvonly")
    lines = answered(offered(text, "recvonly"), ssrc=1234)
    assert "m=audio 7882 UDP/TLS/RTP/SAVPF 111 63" in lines, "plain Opus comes first"
    assert "a=sendonly" in lines
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in lines
    assert "a=msid:room program" in lines
    assert "a=ssrc:1234 cname:room" in lines
    assert not [line for line in lines if line.startswith("a=extmap")]


def test_an_answer_has_nothing_that_was_not_offered() -> None:
    text = without(CHROMIUM, "a=mid", "a=group", "a=rtpmap:63", "a=fmtp:63", "a=extmap:1")
    lines = answered(offered(text))
    assert "m=audio 7882 UDP/TLS/RTP/SAVPF 111" in lines
    assert not [line for line in lines if line.startswith(("a=mid", "a=group", "a=extmap"))]
    assert not [line for line in lines if "red" in line]


def test_an_answer_of_an_ipv6_server_says_so() -> None:
    text = answer(
        offered(), session_id=1, ufrag="u", password="p", fingerprint="F", addresses=[("2001:db8::9", 1)],
        ssrc=None, cname="c", stream_id="",
    )  # fmt: skip
    assert "c=IN IP6 2001:db8::9\r\n" in text


def test_red_around_another_codec_is_not_ours() -> None:
    assert offered(CHROMIUM.replace("a=fmtp:63 111/111", "a=fmtp:63 111/0")).red_pt is None
    assert offered(CHROMIUM.replace("111/111", "111/111/111")).red_pt == 63
    assert offered(without(CHROMIUM, "a=fmtp:63")).red_pt == 63


def test_payload_types_that_are_rtcp_are_not_taken() -> None:
    text = CHROMIUM.replace("SAVPF 111 63", "SAVPF 72 111 63").replace(
        "a=rtpmap:111", "a=rtpmap:72 opus/48000/2\na=rtpmap:111"
    )
    assert offered(text).opus_pt == 111


def test_an_extension_for_the_other_way_is_not_taken() -> None:
    assert AUDIO_LEVEL not in offered(CHROMIUM.replace("extmap:1 ", "extmap:1/recvonly ")).extensions
    assert offered(CHROMIUM.replace("extmap:1 ", "extmap:1/sendonly ")).extensions[AUDIO_LEVEL] == 1


def test_a_client_that_says_nothing_of_setup_begins() -> None:
    assert offered(without(CHROMIUM, "a=setup")).setup == "active"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("v=0", "v=1"),
        ("v=0\n", ""),
        ("s=-", "hello"),
        ("s=-", "session=-"),
        ("m=audio", "m=video"),
        ("m=audio 9", "m=audio 0"),
        ("m=audio 9", "m=audio"),
        ("m=audio 9", "m=audio ９"),
        ("m=audio 9", "m=audio 99999"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
        ("UDP/TLS/RTP/SAVPF", ""),
        ("a=sendonly", "a=recvonly"),
        ("a=sendonly", "a=sendrecv"),
        ("a=sendonly", "a=inactive"),
        ("a=sendonly\n", ""),
        ("a=sendonly", "a=sendonly\na=recvonly"),
        ("a=rtcp-mux\n", ""),
        ("a=ice-ufrag:HxLY\n", ""),
        ("HxLY", "Hx"),
        ("HxLY", "H LY"),
        ("HxLY", "x" * 257),
        ("SXWBqVNej3pJnc7NPCJQFhnA", "short"),
        ("a=group", "a=ice-lite\na=group"),
        ("a=setup:actpass", "a=setup:passive"),
        ("a=setup:actpass", "a=setup:holdconn"),
        ("a=mid:0", "a=mid:0 1"),
        ("a=mid:0", "a=mid:" + "x" * 65),
        ("a=mid:0", "a=mid:à"),
        ("sha-256", "sha-1"),
        ("sha-256", "md5"),
        ("AB:CD", "AB:C"),
        (SHA_256, SHA_256[:-3]),
        (SHA_256, SHA_256 + ":AB"),
        (SHA_256, "XY" + SHA_256[2:]),
        (SHA_256, SHA_256[:-2] + "ＡＢ"),
        (SHA_256, f"{SHA_256}\na=fingerprint:sha-256 {SHA_256[:-2]}00"),
        ("opus/48000/2", "opus/48000"),
        ("opus/48000/2", "vorbis/48000/2"),
        ("SAVPF 111 63", "SAVPF 63"),
        ("rtpmap:111", "rtpmap:+111"),
        ("rtpmap:111", "rtpmap:1_1_1"),
        ("rtpmap:111", "rtpmap:" + "1" * 5000),
        ("s=-", "s=\0"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(was: str, becomes: str) -> None:
    text = (
        CHROMIUM.replace("sha-256 " + SHA_256, "sha-256 AB:CD" + SHA_256[5:]) if was == "AB:CD" else CHROMIUM
    )
    assert was in text
    with pytest.raises(SdpError, match=r"\.$|…$"):
        offered(text.replace(was, becomes))


@pytest.mark.parametrize("line", CHROMIUM.splitlines())
def test_any_line_may_be_missing(line: str) -> None:
    try:
        offer = offered(CHROMIUM.replace(line + "\n", "", 1))
    except SdpError:
        return
    answered(offer)


def hostile(unit: str) -> str:
    return (unit * (LONGEST // len(unit)))[:LONGEST]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "v=0",
        "v=0\n" * 10_000,
        CHROMIUM * 500,
        "v=0\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n" * 10_000,
        "v=0\n" + "m=a\n" * 10_000,
        "v=0\n" + hostile("a=group:BUNDLE 0\n"),
        "v=0\n" + hostile("a=group:BUNDLE 0 1 2 3 4 5 6 7 8 9\n")[:-100],
        "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF " + hostile("63 ")[:-100],
        CHROMIUM.replace("SAVPF 111", "SAVPF" + " 63" * 9000).replace("111/111", "111" + "/111" * 8000),
        CHROMIUM + hostile("a=extmap:1 x\n")[: 60_000 - len(CHROMIUM)],
        CHROMIUM + "a=" + "x" * 60_000,
        CHROMIUM + "\n" * 60_000,
        CHROMIUM.replace("s=-", "s=" + "\u2028\u0085\x0b" * 1000),
        "\ud800" * 100,
        "\0" * 1_000_000,
        "a" * 1_000_000,
        "v=0\n" + "a=mid:" + "0" * 1_000_000,
    ],
    ids=lambda text: f"{len(text)}-{text[:12]!r}",
)
@pytest.mark.parametrize("want", ["sendonly", "recvonly"])
@pytest.mark.timeout(5)  # what costs the square of its length takes longer
def test_hostile_offers_cost_their_length_at_most(text: str, want: Literal["sendonly", "recvonly"]) -> None:
    with contextlib.suppress(SdpError):
        parse_offer(text, want)


@given(st.text(max_size=300))
def test_arbitrary_text_raises_nothing_else(text: str) -> None:
    for start in ("", "v=0\n", "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\n"):
        _parse_and_answer(start + text)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    _parse_and_answer(data.decode("utf-8", "surrogateescape"))


LINES = CHROMIUM.splitlines()


@given(st.data())
def test_mutated_offers_raise_nothing_else(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        action = data.draw(st.sampled_from(["drop", "repeat", "replace", "cut", "swap"]))
        if action == "drop" and len(lines) > 1:
            del lines[at]
        elif action == "repeat":
            lines.insert(at, lines[at])
        elif action == "replace":
            name = lines[at].partition(":")[0]
            lines[at] = f"{name}:{data.draw(st.text(max_size=30))}"
        elif action == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    _parse_and_answer("\n".join(lines))


def _parse_and_answer(text: str) -> None:
    for want in ("sendonly", "recvonly"):
        try:
            offer = parse_offer(text, want)
        except SdpError:
            continue
        for line in answered(offer, ssrc=1):
            assert line.isascii()
            assert len(line) < 300
