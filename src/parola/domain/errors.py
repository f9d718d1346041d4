"""What can be refused, and why. Anything else that is raised is a bug.

Refusal
 ├── Malformed    400  bytes that are not what they claim to be
 ├── NotSignedIn  401  a guest's command, or credentials that do not hold
 ├── Forbidden    403  a named rule says no
 │    └── NotYet       what is not for everyone yet
 ├── NotFound     404  it does not exist, or the caller may not know that it does
 ├── Conflict     409  the state it would need is not the state there is
 ├── TooLarge     413  · Unsupported 415
 ├── Invalid      422  well-formed, and not acceptable
 ├── TooMany      429  later
 └── Unavailable  503  something that is needed is away
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class Refusal(Exception):
    """`code` is stable and for programs, `detail` is for people."""

    status: ClassVar[int]

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Malformed(Refusal):
    status = 400

    def __init__(self, detail: str, code: str = "malformed") -> None:
        super().__init__(code, detail)


class NotSignedIn(Refusal):
    status = 401

    def __init__(self, code: str = "not_signed_in", detail: str = "Sign in to do this.") -> None:
        super().__init__(code, detail)


class Forbidden(Refusal):
    status = 403


class NotYet(Forbidden):
    """Something that is not for everyone yet. `because` is stable and for programs, as `code` is; `wanted` is the
    number that would change it, where there is one."""

    def __init__(self, code: str, detail: str, because: str, wanted: int | None = None) -> None:
        super().__init__(code, detail)
        self.because = because
        self.wanted = wanted


class NotFound(Refusal):
    """The same words for everything that is not there, so that nothing can be learnt from them."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not_found", "There is nothing here.")


class Conflict(Refusal):
    """`retry_after_s` where it is a matter of time alone."""

    status = 409

    def __init__(self, code: str, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class TooLarge(Refusal):
    status = 413


class Unsupported(Refusal):
    status = 415


@dataclass(frozen=True, slots=True)
class FieldError:
    """`field` is a path such as `title`; `message` is for people."""

    field: str
    message: str


class Invalid(Refusal):
    status = 422

    def __init__(self, code: str, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(code, detail)
        self.errors = errors

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        return cls("invalid", message, (FieldError(field, message),))


class _Later(Refusal):
    def __init__(self, code: str, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class TooMany(_Later):
    status = 429


class Unavailable(_Later):
    status = 503
