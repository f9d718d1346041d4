"""Messages of the bus: each survives the way, and none is taken for another."""

from __future__ import annotations

import contextlib
import dataclasses

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.bus import messages
from parola.bus.messages import (
    Body,
    MessageError,
    PresenceChanged,
    Refused,
    Settled,
)

_KINDS = [k for k in vars(messages).values() if isinstance(k, type) and issubclass(k, Body) and k is not Body]


def _example(kind: type[Body]) -> Body:
    values: dict[str, object] = {
        "str": "text",
        "str | None": None,
        "int": 7,
        "int | None": None,
        "list[tuple[int, str]]": [(7, "text")],
        "list[str]": ["main"],
        "dict[str, float]": {"a": 0.5},
        "dict[str, Any]": {"loss": None, "packets": 7},
        "list[dict[str, Any]]": [{"type": "room.started", "seq": 2}],
        "list[Present]": [("1", None), ("2", "ada")],
        "list[tuple[str, str]]": [("room", "ada")],
        "dict[str, int]": {"room": 7},
        "bool": True,
    }
    return kind(**{f.name: values[str(f.type)] for f in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", _KINDS)
def test_a_message_survives_the_way(kind: type[Body]) -> None:
    message = _example(kind)
    assert kind.from_bytes(message.to_bytes()) == message


def test_a_refusal_is_never_taken_for_a_yes() -> None:
    with pytest.raises(MessageError):
        Settled.from_bytes(Refused(409, "not_live", "").to_bytes())


def test_a_newer_sender_may_say_more() -> None:
    said = orjson.dumps({"kind": "Settled", "since": "the next version"})
    assert Settled.from_bytes(said) == Settled()


@pytest.mark.parametrize("kind", _KINDS)
@given(
    data=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers(-9, 9) | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "room_id"]), inner)
        ),
    ).map(orjson.dumps)
)
def test_anything_else_is_a_message_error(kind: type[Body], data: bytes) -> None:
    with contextlib.suppress(MessageError):
        kind.from_bytes(data)


def test_presence_with_something_else_in_it_is_refused() -> None:
    said = orjson.loads(PresenceChanged("p", "room", 0, 1, [("c", None)], [], []).to_bytes())
    for wrong in (7, [7], [{"connection": "c"}], [[7, None]], [["c", 7]], [["c"]]):
        with pytest.raises(MessageError):
            PresenceChanged.from_bytes(orjson.dumps({**said, "listeners": wrong}))
