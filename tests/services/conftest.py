from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.store import Store
from tests.database import DATABASES
from tests.web_process import WebProcess


@pytest.fixture(scope="session", autouse=True)
def tables(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They are made outside of any loop, whichever test comes first."""
    DATABASES.drop(DATABASES.fresh(tmp_path_factory.mktemp("tables")))


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path) as web:
        yield web
