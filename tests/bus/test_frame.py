"""Frames of the bus: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.bus.frame import Frame, FrameError

_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=43)
_frames = st.builds(
    Frame,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.lists(_ids, max_size=6).map(tuple),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=1275),
)


@given(_frames)
def test_a_frame_survives_the_way(frame: Frame) -> None:
    assert Frame.from_bytes(frame.to_bytes()) == frame


@given(st.binary(max_size=200))
def test_arbitrary_bytes_make_a_frame_or_a_frame_error(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        Frame.from_bytes(data)


@given(_frames, st.integers(0, 60))
def test_a_frame_cut_within_its_head_is_none(frame: Frame, kept: int) -> None:
    whole = Frame(frame.epoch, frame.tick, frame.talkers, frame.origin_ns, b"").to_bytes()
    if kept < len(whole):
        with pytest.raises(FrameError):
            Frame.from_bytes(whole[:kept])


def test_another_version_is_refused() -> None:
    data = bytearray(Frame(1, 2, ("ada",), 3, b"opus").to_bytes())
    data[0] = 2
    with pytest.raises(FrameError):
        Frame.from_bytes(bytes(data))
