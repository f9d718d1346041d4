"""Speech through a bad network in short: one clip, and the longest gap's own arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fire.impairment import FRAME, LOSS, Row, impairment, longest_gap
from tests.e2e.hearing import RATE
from tools.speech import clips


@pytest.mark.e2e
@pytest.mark.alone
@pytest.mark.any_database
@pytest.mark.timeout(180)
async def test_speech_through_thirty_percent_loss_each_way(tmp_path: Path) -> None:
    spoken = dict(sorted(clips().items(), key=lambda item: item[1].seconds)[:1])
    lossy, near = await impairment(tmp_path, (Row("both ways", 0.75, LOSS, LOSS),), spoken)
    assert lossy.holds, lossy
    assert ", 0 lost" in near.spread, near


def test_a_gap_is_what_was_said_and_not_heard() -> None:
    rng = np.random.default_rng(1)
    said = rng.normal(0, 0.1, RATE * 4)
    said[RATE : RATE * 5 // 4] = 0  # a pause is no gap
    heard = said.copy()
    assert longest_gap(said, heard) == 0
    heard[RATE * 2 : RATE * 2 + 15 * FRAME] = 0
    # What is loud within 60 ms of a frame counts as it: three frames at either end.
    assert longest_gap(said, heard) == pytest.approx(9 * 0.02)
