"""Structured logs on stderr, one line an event: readable on a terminal, JSON for machines.

What libraries say through the standard module becomes a line like ours, and so does an exception that nobody caught.
Stdout is not for logs: there `parola serve` says that it is ready, and nothing else.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

_FIRST_KEYS = ["timestamp", "level", "process", "event"]


def configure(process: str, stream: TextIO | None = None, least: int = logging.INFO) -> None:
    """Once for each process; `process` stands in every line. What is below the level `least` is left out."""
    stream = stream if stream is not None else sys.stderr
    structlog.reset_defaults()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Named(process),
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            *(_for_people() if stream.isatty() else _for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # the bus says the same in its own words
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _for_people() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # Never with local variables: they hold passwords and tokens.
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, pad_event_to=24, sort_keys=False
        ),
    ]


def _for_machines() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _ordered,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


class _Named:
    """A context variable would be lost in threads."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.setdefault("process", self._process)
        return event


def _ordered(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: event[key] for key in _FIRST_KEYS if key in event} | dict(event)


class _Lines:
    """Writes each line in one piece, since several processes share the stream; a log that nobody reads stops nobody."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        try:
            self._stream.write(message + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


class _Bridge(logging.Handler):
    """From the standard module to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            words = record.getMessage().replace("\n", " | ")
            structlog.get_logger().log(record.levelno, words, logger=record.name, exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


def _uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    if issubclass(kind, (KeyboardInterrupt, SystemExit)):
        return
    structlog.get_logger().error("process.failed", exc_info=(kind, error, traceback))
