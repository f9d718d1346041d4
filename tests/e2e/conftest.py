"""A running house and a browser for each test module, and real speech."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from parola.client.webrtc import Pcm, read_audio
from tests.e2e.browsing import browser
from tests.e2e.house import House, opened
from tools.speech import Clip, clips

# Five seconds, Playwright's own patience, are little for a page that shares two cores with others.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120))
            if "chrome" in getattr(item, "fixturenames", ()):
                # A browser is spoken to from the loop in which it was started.
                item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def launched(request: pytest.FixtureRequest, speech: dict[str, Clip]) -> AsyncIterator[Browser]:
    """With a voice at its microphone: the one that the module names as `MICROPHONE`."""
    clip = getattr(request.module, "MICROPHONE", "english-1")
    async with browser(speech[clip].microphone) as launched:
        yield launched


@pytest_asyncio.fixture(loop_scope="module")
async def chrome(launched: Browser) -> AsyncIterator[Browser]:
    """With nobody in it before and after the test."""
    yield launched
    for context in launched.contexts:
        await context.close()


def as_float(pcm: Pcm) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return pcm.astype(np.float64) / 32768
