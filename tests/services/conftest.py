from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.store import Store
from tests.web_process import WebProcess


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path) as web:
        yield web
