"""What a machine thinks of that our own description allows: never a bug, and only what is described."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parola.store import Store
from tests.web_process import Answer, Person, WebProcess

_FREE = {"host", "content-length", "transfer-encoding"}


@schemathesis.serializer("application/sdp")
def _as_text(_: object, value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


class Running:
    """A web process in a loop that hypothesis, which knows none, can use from outside."""

    def __init__(self, runner: asyncio.Runner, web: WebProcess) -> None:
        self.web = web
        self.host = Person(web)
        self.room = ""
        self._runner = runner

    def begin_anew(self) -> None:
        """A host in a session of their own, and a room of theirs: a call that does something may end either."""

        async def begin() -> None:
            self.host = await self.web.member(f"host_{len(self.web.people)}")
            self.room = await self.host.opens()

        self._runner.run(begin())

    def call(self, *arguments: Any, **more: Any) -> Answer:
        return self._runner.run(self.web.call(*arguments, **more))


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[Running]:
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin() -> WebProcess:
            store = Store.open(database_url)
            stack.push_async_callback(store.close)
            web = await stack.enter_async_context(WebProcess.go(store, tmp_path))
            await web.member("bob")
            return web

        yield Running(runner, runner.run(begin()))
        runner.run(stack.aclose())


@pytest.mark.any_database
@pytest.mark.timeout(400)  # some 170 calls, each of them eight times
def test_the_api_does_what_it_says(running: Running) -> None:
    described = running.call("GET", "/api/openapi.json").json
    running.begin_anew()
    schema = schemathesis.openapi.from_dict(described)
    operations = [o.ok() for o in schema.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        if not operation.path.endswith("/events") and operation.path != "/metrics":
            _try(running, operation, described["paths"][operation.path][operation.method.lower()])


def _try(running: Running, operation: Any, described: Any) -> None:
    def check(case: Any, member: bool, real: bool) -> None:
        if real:
            names = {"room_id": running.room, "handle": "bob"}
            case.path_parameters = {n: names.get(n, v) for n, v in (case.path_parameters or {}).items()}
        asked = case.as_transport_kwargs(base_url="http://localhost:8080")
        headers = {k: v for k, v in (asked.get("headers") or {}).items() if k.lower() not in _FREE}
        if member:
            headers |= running.host.headers
        more = {k: asked[k] for k in ("json", "params", "data") if asked.get(k) is not None}
        if "data" in more:
            data = more.pop("data")
            more["content"] = data if isinstance(data, bytes | str) else str(data)
        answer = running.call(asked["method"], asked["url"], headers=headers, **more)
        if asked["method"] != "GET" and not 400 <= answer.status < 500:
            running.begin_anew()
        assert answer.status < 500 or answer.status == 503, answer.content
        assert str(answer.status) in described["responses"], (answer.status, operation.label)
        if answer.status >= 400:
            assert answer.code

    limits = settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    limits(given(operation.as_strategy(), st.booleans(), st.booleans())(check))()
