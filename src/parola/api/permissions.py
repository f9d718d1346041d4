"""Who may call what: each route carries a rule, and a rule says what each role is answered.

The table in docs/permissions.md is made of these, and a test asks the server for every cell of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute

ROLES = ("guest", "member", "speaker", "cohost", "host", "removed", "administrator")
"""A member has no part in the room, an administrator neither; a co-host here has no floor."""
YES = "yes"
_GUEST = "401 not_signed_in"
_REMOVED = "403 removed"

_T = TypeVar("_T", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rule:
    """`words` say it to people; `cells` has for each role YES, or the status and code of the refusal."""

    words: str
    cells: dict[str, str]


def _rule(words: str, otherwise: str, *, guest: str = _GUEST, removed: str = _REMOVED, **cells: str) -> Rule:
    """`otherwise` is for the roles that are not named."""
    named = {"guest": guest, "removed": removed, **cells}
    return Rule(words, {role: named.get(role, otherwise) for role in ROLES})


ANYONE = _rule("anyone", YES, guest=YES, removed=YES)
MEMBER = _rule("whoever is signed in", YES, removed=YES)
LATELY = Rule("whoever has lately shown who they are", MEMBER.cells)
KNOWN = Rule("whoever is signed in, also while they are suspended", MEMBER.cells)
WHO_MAY_ENTER = _rule("who may enter", YES, guest=YES)
MEMBER_WHO_MAY_ENTER = _rule("a member who may enter", YES)
WITHOUT_FLOOR = _rule("a member without the floor", YES, speaker="409 has_floor", host="409 has_floor")
OFFERED = _rule("who was offered the floor", YES, speaker="409 nothing_offered", host="409 nothing_offered")
MODERATOR = _rule("host, co-host", "403 moderator_only", host=YES, cohost=YES)
MODERATOR_OR_ONESELF = Rule("host, co-host; of oneself who has the floor", MODERATOR.cells)
ONESELF_ON_STAGE = _rule("who has the floor, of oneself", "409 not_speaking", host=YES, speaker=YES)
HOST = _rule("host", "403 host_only", host=YES)
GRANTING = Rule("host, or who is in the host's place", HOST.cells)
WITH_FLOOR = _rule("who has the floor", "403 floor_required", host=YES, speaker=YES)
WHOSE_IT_IS = Rule("whose connection it is", WHO_MAY_ENTER.cells)
NOT_THE_LAST = _rule(
    "whoever is signed in, but for the last administrator",
    YES,
    removed=YES,
    administrator="409 last_administrator",
)
LATELY_NOT_THE_LAST = Rule(
    "whoever has lately shown who they are, but for the last administrator", NOT_THE_LAST.cells
)
WITH_LINK = _rule("a member with a link that holds", YES, guest="404 not_found", removed=YES)
ADMINISTRATOR = _rule(
    "administrator", "404 not_found", guest="404 not_found", removed="404 not_found", administrator=YES
)
ADMINISTRATOR_LATELY = Rule("administrator who has lately shown who they are", ADMINISTRATOR.cells)
ADMINISTRATOR_OF_OTHERS = Rule(
    "administrator; about oneself only where there is no other", ADMINISTRATOR.cells
)
ADMINISTRATOR_OF_OTHERS_LATELY = Rule(
    "administrator who has lately shown who they are; about oneself only where there is no other",
    ADMINISTRATOR.cells,
)


def may(rule: Rule) -> Callable[[_T], _T]:
    """Says of a route's function who may call it."""

    def carry(function: _T) -> _T:
        function.rule = rule  # type: ignore[attr-defined]
        return function

    return carry


@dataclass(frozen=True, slots=True)
class Call:
    """`rule` is None where nobody has said it."""

    method: str
    path: str
    rule: Rule | None


def calls(routers: Iterable[APIRouter]) -> Iterator[Call]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield Call(method, route.path, getattr(route.endpoint, "rule", None))
