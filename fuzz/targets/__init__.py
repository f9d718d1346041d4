"""The targets by name."""

from __future__ import annotations

NAMES = ("stun", "rtp", "rtcp", "red", "sdp", "dtls", "opus", "api")
