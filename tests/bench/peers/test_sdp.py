"""What the peers offer, and what they are answered."""

import pytest

from bench.listeners.peers import sdp
from bench.listeners.signalling import Local

LOCAL = Local("abcdefgh", "p" * 24, "AB:CD", ("127.16.0.7", 4000), 77)
HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 0e:c9:74\r\n"
DATA = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:0
a=sendrecv
a=sctp-port:5000
a=ice-ufrag:HbIP
a=ice-pwd:bDOEvOwzPyiUzPgPQWkoyE
"""
SOUND = """m=audio 9 UDP/TLS/RTP/SAVPF 63 109 0
c=IN IP4 0.0.0.0
a=setup:actpass
a=mid:1
a=ice-ufrag:HbIP
a=ice-pwd:bDOEvOwzPyiUzPgPQWkoyE
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtcp-fb:109 nack
a=rtpmap:63 red/48000/2
a=fmtp:63 109/109
a=rtpmap:0 PCMU/8000
a=extmap:3/sendrecv urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time
a=sendrecv
"""
CANDIDATES = [
    "candidate:3 1 udp 100 10.0.0.1 5003 typ host ufrag HbIP",
    "candidate:1 1 udp 2130706431 127.0.0.1 5001 typ host",
    "candidate:1 2 udp 2130706431 127.0.0.1 5001 typ host",
    "candidate:2 1 tcp 2130706432 127.0.0.1 5002 typ host tcptype passive",
    "candidate:4 1 udp 2130706433 ::1 5004 typ host",
]


def said(*sections: str, head: str = HEAD) -> sdp.Description:
    return sdp.parse(head + "".join(sections).replace("\n", "\r\n"))


def test_the_servers_end():
    remote = sdp.remote(said(SOUND), CANDIDATES)
    assert remote.ufrag == "HbIP"
    assert remote.password == "bDOEvOwzPyiUzPgPQWkoyE"
    assert (remote.algorithm, remote.fingerprint) == ("sha-256", "0E:C9:74")
    assert remote.addresses == (("127.0.0.1", 5001), ("10.0.0.1", 5003))
    assert (remote.opus_pt, remote.level_id) == (109, 3)


def test_candidates_inside_the_sdp():
    inside = SOUND + "".join(f"a={line}\n" for line in CANDIDATES)
    assert sdp.remote(said(inside)).addresses[0] == ("127.0.0.1", 5001)


@pytest.mark.parametrize(
    ("head", "we_offered", "controlling"),
    [(HEAD, False, False), (HEAD + "a=ice-lite\r\n", False, True), (HEAD, True, True)],
)
def test_who_controls(head, we_offered, controlling):
    assert sdp.remote(said(SOUND, head=head), CANDIDATES, we_offered).controlling is controlling


@pytest.mark.parametrize(
    ("text", "trickled"),
    [
        (HEAD + SOUND, CANDIDATES[3:]),
        (HEAD + SOUND.replace("a=ice-pwd", "a=ice-pwt"), CANDIDATES),
        (SOUND, CANDIDATES),
        ("", CANDIDATES),
    ],
)
def test_nothing_before_all_of_it_is_there(text, trickled):
    with pytest.raises(ValueError, match="lacks"):
        sdp.remote(sdp.parse(text), trickled)


def test_an_answer_takes_opus_and_nothing_beside_it():
    answer = sdp.answer(said(SOUND), LOCAL)
    read = sdp.parse(answer)
    [sound] = read.media
    assert sound.formats == ("109",)
    assert sound.attributes.keys().isdisjoint({"rtcp-fb", "extmap"})
    assert "red" not in answer
    assert "a=recvonly\r\n" in answer
    assert sound.first("setup") == "active"
    assert (sound.first("ice-ufrag"), sound.first("ice-pwd")) == ("abcdefgh", "p" * 24)
    assert sound.first("fingerprint") == "sha-256 AB:CD"
    assert sdp.candidates(sound.attributes["candidate"]) == (LOCAL.address,)
    assert read.session.first("group") == "BUNDLE 1"


def test_lines_are_answered_one_by_one_in_their_order():
    """RFC 3264, section 6: video is refused, sound that has ended stays inactive, data channels carry on."""
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:2\na=rtpmap:96 VP8/90000\na=sendonly\n"
    ended = SOUND.replace("a=mid:1", "a=mid:3").replace("a=sendrecv", "a=inactive")
    offer = said(DATA, SOUND, video, ended)
    answer = sdp.answer(offer, LOCAL)
    read = sdp.parse(answer)
    assert [(s.kind, s.port, s.first("mid")) for s in read.media] == [
        ("application", 9, "0"), ("audio", 9, "1"), ("video", 0, "2"), ("audio", 9, "3"),
    ]  # fmt: skip
    assert [next(iter({"recvonly", "inactive"} & s.attributes.keys()), "") for s in read.media] == [
        "", "recvonly", "inactive", "inactive",
    ]  # fmt: skip
    assert read.session.first("group") == "BUNDLE 0 1 3"
    assert offer.streams == 1


def test_nothing_but_data_channels():
    """A server that has no sound yet: the connection is made on them."""
    read = sdp.parse(sdp.answer(said(DATA), LOCAL))
    assert [(s.kind, s.port, s.formats) for s in read.media] == [("application", 9, ("webrtc-datachannel",))]
    assert read.first("setup") == "active"
    assert sdp.remote(said(DATA), CANDIDATES).opus_pt == sdp.OPUS_PT


def test_an_offer_of_one_who_speaks():
    read = sdp.parse(sdp.offer(LOCAL, "track7"))
    [sound] = read.media
    assert sound.opus_pt == sdp.OPUS_PT
    assert sound.first("setup") == "active"
    assert "sendonly" in sound.attributes
    assert sound.first("msid") == "bench track7"
    assert sound.attributes["ssrc"][0] == "77 cname:bench"
    assert sound.first("extmap") == f"{sdp.LEVEL_ID} {sdp.AUDIO_LEVEL}"
