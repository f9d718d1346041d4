"""What a member's connection sends as RTCP, decrypted: read again as it is written, and taken for a report."""

from __future__ import annotations

from parola.media.stream import ProgramStream, StreamNumbers
from parola.rtp import rtcp
from parola.rtp.rtcp import Bye, ReceiverReport, ReportBlock, RtcpError, Sdes, SenderReport, Unknown

_SSRC = 0x01020304
_BLOCK = ReportBlock(_SSRC, 12, 34, 70_000, 56, 78, 90)
SEEDS = (
    rtcp.encode(ReceiverReport(9, (_BLOCK,)), Sdes(9, "a name")),
    rtcp.encode(SenderReport(9, 1 << 40, 960, 1, 100, (_BLOCK,)), Sdes(9, ""), Bye((9,))),
    rtcp.encode(ReceiverReport(9), Unknown(206, b"12345678"), Unknown(207, b"")),
    b"\xa0\xc9\x00\x02\x00\x00\x00\x09\x00\x00\x00\x04",
)


def check(data: bytes) -> None:
    stream = ProgramStream(StreamNumbers(111, 63, _SSRC, 0, 0), 0.0)
    try:
        packets = rtcp.parse_compound(data)
    except RtcpError:
        _refused(stream, data)
        return
    stream.handle_reports(data, 1.0, 1.0)
    assert 0 <= stream.loss_256 <= 255
    for packet in packets:
        if isinstance(packet, SenderReport):
            reception = rtcp.ReceptionStatistics(packet.ssrc)
            reception.received(1, 960, 0.0)
            reception.sender_report(packet.ntp, 0.5)
            rtcp.encode(ReceiverReport(1, (reception.report(1.0),)))
    known = [packet for packet in packets if not isinstance(packet, Unknown | Sdes)]
    if known:
        assert rtcp.parse_compound(rtcp.encode(*known)) == known, "what was read is not what is written"


def _refused(stream: ProgramStream, data: bytes) -> None:
    try:
        stream.handle_reports(data, 1.0, 1.0)
    except RtcpError:
        return
    raise AssertionError("what is no RTCP was taken for a report")
