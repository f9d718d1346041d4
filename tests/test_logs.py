"""Logs: one line an event, whoever speaks."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from parola import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers, root.level, (sys.excepthook, threading.excepthook)
    yield
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_machines_read_json() -> None:
    logs.configure("media-0", stream := io.StringIO())
    structlog.get_logger().info("child.started", child="web-0", pid=7, path=io)
    structlog.get_logger().debug("too.much")
    (line,) = _lines(stream)
    assert (line["process"], line["level"], line["event"], line["pid"]) == (
        "media-0",
        "info",
        "child.started",
        7,
    )
    assert line["timestamp"].endswith("Z")
    assert list(line)[:4] == ["timestamp", "level", "process", "event"]


def test_people_read_a_line() -> None:
    logs.configure("parola", stream := Terminal())
    structlog.get_logger().info("child.started", child="web-0")
    (line,) = stream.getvalue().splitlines()
    assert "child.started" in line
    assert "web-0" in line
    assert not line.startswith("{")


def test_an_exception_is_part_of_its_line() -> None:
    logs.configure("web-0", stream := io.StringIO())
    password = "s3cret"
    try:
        raise ValueError("two\nlines")
    except ValueError:
        structlog.get_logger().exception("bus.handler_failed")
    (line,) = _lines(stream)
    assert "ValueError: two\nlines" in line["exception"]
    assert password not in stream.getvalue()


def test_a_terminal_never_shows_local_variables() -> None:
    logs.configure("web-0", stream := Terminal())
    password = "s3cret".upper()
    try:
        raise ValueError
    except ValueError:
        structlog.get_logger().exception("bus.handler_failed")
    assert "ValueError" in stream.getvalue()
    assert password not in stream.getvalue()


def test_libraries_speak_in_the_same_form() -> None:
    logs.configure("web-0", stream := io.StringIO())
    logging.getLogger("uvicorn.error").warning("Invalid %s\nreceived", "request")
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("nats.aio.client").error("encountered error")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    first, second = _lines(stream)
    assert (first["event"], first["logger"], first["level"]) == (
        "Invalid request | received",
        "uvicorn.error",
        "warning",
    )
    assert "old ways" in second["event"]


def test_threads_have_the_same_name_and_their_failures_are_logged() -> None:
    logs.configure("web-0", stream := io.StringIO())

    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    (line,) = _lines(stream)
    assert (line["process"], line["event"]) == ("web-0", "process.failed")
    assert "in a thread" in line["exception"]


def test_a_log_that_nobody_reads_stops_nobody() -> None:
    logs.configure("web-0", Closed())
    structlog.get_logger().error("anything")
