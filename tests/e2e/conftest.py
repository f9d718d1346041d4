"""A running house for each test module, and real speech."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from parola.client.webrtc import Pcm, read_audio
from tests.e2e.house import House, opened
from tools.speech import Clip, clips


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def speech() -> dict[str, Clip]:
    return clips()


@pytest.fixture(scope="session")
def english(speech: dict[str, Clip]) -> Pcm:
    return read_audio(speech["english-1"].microphone)


@pytest.fixture(scope="session")
def italian(speech: dict[str, Clip]) -> Pcm:
    return read_audio(speech["italian-1"].microphone)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


def as_float(pcm: Pcm) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return pcm.astype(np.float64) / 32768
