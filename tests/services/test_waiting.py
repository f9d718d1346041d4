"""The waitlist in its order, approval by any rule and once, and founding members out of a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parola.domain.errors import Invalid
from parola.services import letters as writing
from parola.services.actor import AT_THE_MACHINE
from parola.services.waiting import parse_founders
from parola.store import Letter
from tests.services.house import House, opened, refusal_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path, registration="invite") as house:
        yield house


async def join(house: House, *names: str) -> list[str]:
    """Their tokens."""
    places = [await house.services.waitlist.join(f"{name}@rooms.example", None, "it") for name in names]
    return [place.token for place in places]


async def letters(house: House) -> list[str]:
    """To whom."""
    far = int(datetime.now(UTC).timestamp() * 1000) + 1000
    return sorted(
        letter.recipient.partition("@")[0] for letter in await house.store.outbox.take(far, far, 100)
    )


async def test_positions_follow_the_order_and_move_up(house: House) -> None:
    waitlist = house.services.waitlist
    tokens = await join(house, "ada", "bob", "carla")
    assert [await waitlist.position(token) for token in tokens] == [1, 2, 3]
    assert await waitlist.approve(AT_THE_MACHINE, [1], None, None) == 1
    assert [await waitlist.position(token) for token in tokens] == [0, 1, 2]
    assert await refusal_of(waitlist.position("guessed")) == "not_found"


async def test_approval_by_place_by_number_and_by_age(house: House) -> None:
    waitlist = house.services.waitlist
    await join(house, "ada", "bob", "carla", "dora")
    assert await waitlist.approve(AT_THE_MACHINE, [3], None, None) == 1
    assert await waitlist.approve(AT_THE_MACHINE, None, 2, None) == 2
    now = datetime.now(UTC)
    assert await waitlist.approve(AT_THE_MACHINE, None, None, now - timedelta(days=1)) == 0
    assert await waitlist.approve(AT_THE_MACHINE, None, None, now + timedelta(days=1)) == 1
    assert await letters(house) == ["ada", "bob", "carla", "dora"]
    entries = await house.store.audit.after(0, 10)
    assert [entry.deed.reason.partition(" ")[0] for entry in entries] == ["places", "the", "before"]
    for rules in ((None, None, None), ([1], 2, None), ([], None, None), (None, 0, None), (None, 1001, None)):
        assert await refusal_of(waitlist.approve(AT_THE_MACHINE, *rules)) == "invalid"


async def test_turns_come_by_rule_so_many_a_day_and_once(house: House) -> None:
    waitlist = house.services.waitlist
    await join(house, "ada", "ada", "bob", "carla", "dora", "eva")
    assert await waitlist.by_rule() == 0, "without a rule nobody's turn comes by itself"
    await house.services.inviting.change(AT_THE_MACHINE, 0, {"waitlist_a_day": 2}, "slowly")
    assert await waitlist.approve(AT_THE_MACHINE, [6], None, None) == 1, "eva's, by hand, counts"
    assert sorted(await asyncio.gather(waitlist.by_rule(), waitlist.by_rule())) == [0, 1]
    assert await letters(house) == ["ada", "eva"]
    later(house, timedelta(hours=25))
    assert await waitlist.by_rule() == 2
    deed = (await house.store.audit.before(None, 1))[0].deed
    assert (deed.actor, deed.action, deed.reason) == ("rule", "approve", "2 a day")


async def test_turns_come_by_rule_to_those_who_have_waited(house: House) -> None:
    await join(house, "ada", "bob")
    await house.services.inviting.change(AT_THE_MACHINE, 0, {"waitlist_days": 2}, "nobody waits for ever")
    later(house, timedelta(days=1, hours=23))
    await join(house, "carla")
    assert await house.services.waitlist.by_rule() == 0
    later(house, timedelta(days=2, hours=1))
    assert await house.services.waitlist.by_rule() == 2


def later(house: House, by: timedelta) -> None:
    house.services.waitlist._now = lambda: datetime.now(UTC) + by


async def test_two_who_approve_at_once_invite_each_person_once(house: House) -> None:
    await join(house, *(f"person{i}" for i in range(6)))
    done = await asyncio.gather(
        *(house.services.waitlist.approve(AT_THE_MACHINE, None, 4, None) for _ in range(2))
    )
    assert sorted(done) == [2, 4]
    assert len(await letters(house)) == 6


async def test_an_address_that_waits_twice_is_answered_alike_and_invited_once(house: House) -> None:
    waitlist = house.services.waitlist
    first = await waitlist.join("Ada@Rooms.example", None, "en")
    second = await waitlist.join("ada@rooms.example ", "ada", "en")
    assert first.token != second.token
    assert (first.position, second.position) == (1, 2), "nobody learns that it was there"
    assert await waitlist.approve(AT_THE_MACHINE, None, 1, None) == 1
    assert [await waitlist.position(one.token) for one in (first, second)] == [0, 0]
    assert await letters(house) == ["ada"]


async def test_an_invitation_by_mail_opens_the_door(house: House) -> None:
    await join(house, "ada")
    await house.services.waitlist.approve(AT_THE_MACHINE, None, 1, None)
    far = int(datetime.now(UTC).timestamp() * 1000) + 1000
    (letter,) = await house.store.outbox.take(far, far, 10)
    assert letter.subject == "Il tuo invito a localhost:8080"
    code = letter.body.partition("http://localhost:8080/i/")[2].split()[0]
    signed_in = await house.services.sessions.sign_up("ada", "Ada", "correct horse", code)
    assert signed_in.account.invited_by is None


async def test_nobody_waits_where_the_door_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as house:
        joined = house.services.waitlist.join("ada@rooms.example", None, "en")
        assert await refusal_of(joined) == "no_waitlist"


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@rooms.example", "ada@rooms", "a b@rooms.example", "ada@rooms.example\nBcc: x@y.z",
     "ada@rooms.example, bob@rooms.example", "<ada@rooms.example>", "ä@rooms.example", f"{'a' * 250}@rooms.example"],
)  # fmt: skip
async def test_what_is_no_address(house: House, email: str) -> None:
    assert await refusal_of(house.services.waitlist.join(email, None, "en")) == "invalid"


async def test_founders_come_together(house: House) -> None:
    (token,) = await join(house, "bob")
    text = "\ufeffEmail,language\nada@rooms.example,it\n\nBOB@rooms.example,\n"
    assert await house.services.waitlist.invite_founders(AT_THE_MACHINE, text) == 2
    assert await letters(house) == ["ada", "bob"]
    assert await house.services.waitlist.position(token) == 0, "who waited does so no more"


async def test_a_thousand_founders_are_no_long_transaction(house: House) -> None:
    """A database cuts off what takes longer than 2.5 s, and whoever mutes somebody waits for it."""
    text = "email\n" + "".join(f"n{number}@rooms.example\n" for number in range(1000))
    assert await house.services.waitlist.invite_founders(AT_THE_MACHINE, text) == 1000
    found = await house.store.outbox.take(10**15, 10**15 + 1, 2000)
    assert len({letter.recipient for letter in found}) == 1000


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["line 1"]),
        ("ada@rooms.example\n", ["line 1"]),
        ("email,name\na@b.example,Ada\n", ["line 1"]),
        ("email\n", ["line 2"]),
        ("email\nada@rooms.example\nnonsense\nADA@rooms.example\n", ["line 3", "line 4"]),
        ("email,language\nada@rooms.example\nbob@rooms.example,xx\n", ["line 2", "line 3"]),
        ('email\nada@rooms.example\n"open\n', ["line 3"]),
    ],
)
async def test_a_line_that_cannot_be_used_is_named_and_nobody_is_invited(
    house: House, text: str, lines: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        parse_founders(text)
    assert [error.field for error in refused.value.errors] == lines
    assert await refusal_of(house.services.waitlist.invite_founders(AT_THE_MACHINE, text)) == "invalid"
    assert await letters(house) == []


async def test_a_failure_in_the_middle_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    waitlist = house.services.waitlist
    made = iter(range(10))

    def breaks(*given: object) -> Letter:
        if next(made) == 1:
            raise RuntimeError("the third thing that may happen")
        return letters_of(*given)  # type: ignore[arg-type]

    letters_of = writing.invitation
    monkeypatch.setattr(writing, "invitation", breaks)
    with pytest.raises(RuntimeError):
        await waitlist.invite_founders(AT_THE_MACHINE, "email\na@b.example\nc@d.example\n")
    assert await letters(house) == []
    assert await house.store.audit.after(0, 10) == []
