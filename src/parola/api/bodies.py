"""How large a body may be, and of which type."""

from __future__ import annotations

LARGEST_BODY = 64 << 10
LARGEST_PICTURE = 5 << 20
_PICTURE = ("PUT", "/api/me/picture")
_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
_JSON = frozenset({"application/json"})


def largest(method: str, path: str) -> int:
    return LARGEST_PICTURE if (method, path) == _PICTURE else LARGEST_BODY


def types(method: str, path: str) -> frozenset[str] | None:
    """None where the route looks for itself."""
    if path.rpartition("/rooms/")[2].partition("/")[2].startswith(("whep", "whip")):
        return None
    return _PICTURES if (method, path) == _PICTURE else _JSON
