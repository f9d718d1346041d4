"""What a check says."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

_WIDTH = 100


class Level(Enum):
    OK = "ok"
    WARNING = "warning"
    """It works, and not for everybody or not for long."""
    PROBLEM = "problem"
    """It will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is what to do about it."""

    level: Level
    about: str
    words: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {"level": self.level.value, "about": self.about, "words": self.words, "remedy": self.remedy}


def ok(about: str, words: str) -> Finding:
    return Finding(Level.OK, about, words)


def warning(about: str, words: str, remedy: str) -> Finding:
    return Finding(Level.WARNING, about, words, remedy)


def problem(about: str, words: str, remedy: str) -> Finding:
    return Finding(Level.PROBLEM, about, words, remedy)


def report(findings: Sequence[Finding]) -> str:
    """For people: one line each, and a second with what to do."""
    widest = max((len(f.about) for f in findings), default=0)
    lines = []
    for f in findings:
        head = f"{f.level.value:<8} {f.about:<{widest}}  "
        lines.append(head + f.words)
        lines.extend(
            textwrap.wrap(
                f.remedy,
                _WIDTH,
                initial_indent=" " * len(head) + "→ ",
                subsequent_indent=" " * (len(head) + 2),
            )
        )
    bad = [sum(f.level is level for f in findings) for level in (Level.PROBLEM, Level.WARNING)]
    words = [
        f"{n} {name}{'' if n == 1 else 's'}" for n, name in zip(bad, ("problem", "warning"), strict=True)
    ]
    return "\n".join([*lines, "", ", ".join(words)])
