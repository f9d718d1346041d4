"""SDP that means harm."""

from __future__ import annotations

_HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
_MEDIA = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
_REST = (
    "a=ice-ufrag:HxLY\r\na=ice-pwd:SXWBqVNej3pJnc7NPCJQFhnA\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=rtpmap:111 opus/48000/2\r\n"
)
WHOLE = _HEAD + _MEDIA + _REST
"""As it should be."""

HOSTILE: dict[str, str] = {
    "a megabyte": WHOLE + "a=x:" + "y" * (1 << 20),
    "a megabyte of lines": WHOLE + "a=x\r\n" * (1 << 18),
    "ten thousand m-lines": _HEAD + _MEDIA * 10_000,
    "a thousand m-lines": _HEAD + _MEDIA * 1000,
    "NUL in an attribute": WHOLE.replace("HxLY", "Hx\0LY"),
    "nothing but NUL": "\0" * 60_000,
    "NUL behind the end": WHOLE + "\0",
    "one line of sixty thousand": _HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF " + "111 " * 15_000,
    "sixty thousand newlines": "v=0" + "\n" * 60_000,
    "attributes without end": _HEAD + _MEDIA + "a=rtpmap:111 x\r\n" * 1900,
    "extensions without end": _HEAD + _MEDIA + "".join(f"a=extmap:{n} urn:{n}\r\n" for n in range(1900)),
    "fingerprints without end": _HEAD + _MEDIA + "a=fingerprint:sha-256 AB\r\n" * 1900,
    "one long fingerprint": _HEAD + _MEDIA + "a=fingerprint:sha-256 " + "AB:" * 20_000,
    "one long group": "v=0\r\na=group:BUNDLE "
    + "0 " * 30_000
    + "\r\n"
    + _MEDIA
    + _REST.replace("ice-pwd", "x"),
    "digits": _HEAD + "m=audio " + "9" * 60_000 + " UDP/TLS/RTP/SAVPF 111\r\n",
    "other digits": _HEAD + "m=audio ٩ UDP/TLS/RTP/SAVPF ١١١\r\n",
    "empty": "",
    "no line at all": "x" * 60_000,
}
"""None of them may be answered; the first three are what the catalogue names."""
