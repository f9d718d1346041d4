"""The garbage flood, short: nothing of it is answered, and nobody in the room loses a packet."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fire.garbage import datagrams, under_garbage
from parola.rtp import demux

pytestmark = [pytest.mark.alone, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]


async def test_a_room_plays_and_people_join_under_garbage(tmp_path: Path) -> None:
    figures = {figure.name: figure for figure in await under_garbage(tmp_path, 5000, 3.0)}
    assert figures["garbage: listeners' loss"].value == 0
    assert figures["garbage: datagrams answered"].value == 0


def test_the_garbage_is_of_every_kind() -> None:
    kinds = {demux.kind(datagram) for datagram in datagrams(random.Random(1), 500)}
    assert kinds >= {None, "stun", "dtls", "rtp"}
