"""Writes docs/permissions.md: who may call what, as the routes say it. `--check` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from parola.api.app import ROUTERS
from parola.api.permissions import ROLES, YES, Call, calls

PAGE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"

_INTRODUCTION = """\
# Who may call what

Made by `python -m tools.permissions` from what each route carries; a test asks the server for every cell. Change it
there, not here.

A **member** here is signed in and has no part in the room; a **speaker** has the floor, a **co-host** here has not; an
**administrator** has no part in the room either. ✓: it is done. Else the status and code of the refusal, for an open,
live room; a room that one may not know of answers 404 to everything. Where one acts on somebody, it is on somebody
else without any rights of their own.
"""


def text() -> str:
    """The page as it should be."""
    head = ["Call", "Who", *(role.replace("cohost", "co-host") for role in ROLES)]
    lines = [_row(head), _row(["---"] * len(head))]
    lines += [_row(_cells(call)) for call in sorted(calls(ROUTERS), key=lambda c: (c.path, c.method))]
    return _INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def main() -> int:
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text() == text()
        print("permissions: up to date" if fresh else "permissions: stale, run python -m tools.permissions")
        return 0 if fresh else 1
    PAGE.write_text(text())
    return 0


def _cells(call: Call) -> list[str]:
    if call.rule is None:
        raise SystemExit(f"{call.method} {call.path} does not say who may call it: @may is missing")
    answers = ["✓" if call.rule.cells[role] == YES else call.rule.cells[role] for role in ROLES]
    return [f"`{call.method} {call.path}`", call.rule.words, *answers]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
