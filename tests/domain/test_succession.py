"""The host leaves: the room ends, or goes on with whom the host named, until the host is back."""

from __future__ import annotations

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Conflict, Forbidden
from tests.domain.test_rooms import NOW, after, room, stage

BOTH = frozenset({"host", "cora"})


def gone(*absent: str) -> r.LeaveHost:
    return r.LeaveHost(r.HOUSE, frozenset(absent))


def led() -> r.Room:
    """Cora is in the host's place."""
    return after(stage(), r.NameSuccessor("host", "cora"), gone("host"))


def test_without_a_successor_the_room_ends() -> None:
    (ended,) = r.decide(stage(), gone("host"), NOW)
    assert isinstance(ended, r.RoomEnded)
    assert (ended.by, ended.reason) == (r.HOUSE, "host_left")
    assert r.decide(r.fold(stage(), [ended]), gone("host"), NOW) == (), "whoever finds it second does nothing"


def test_nothing_happens_while_the_host_is_there() -> None:
    assert r.decide(stage(), gone("cora", "sam"), NOW) == ()


def test_whom_the_host_named_is_in_the_hosts_place_and_grants() -> None:
    found = led()
    assert (found.acting, found.host) == ("cora", "host")
    assert r.decide(found, gone("host"), NOW) == ()
    assert after(found, r.Grant("cora", "hanna")).has_floor("hanna")
    assert after(found, r.Next("cora")).has_floor("hanna")
    assert after(found, r.LockHands("cora"), r.SetTurns("cora", 30, 60), r.SizeStage("cora", 9)).capacity == 9
    assert after(found, r.End("cora")).state is r.Lifecycle.ENDED


def test_what_outlasts_their_leading_stays_the_hosts_alone() -> None:
    for command in (
        r.AddCohost("cora", "lia"), r.RemoveCohost("cora", "cleo"), r.NameSuccessor("cora", "cleo"),
        r.Invite("cora", "lia"),
    ):  # fmt: skip
        with pytest.raises(Forbidden) as refused:
            r.decide(led(), command, NOW)
        assert refused.value.code == "host_only"
    for above in (r.Remove("cora", "cleo"), r.Revoke("cora", "host"), r.Mute("cora", "host")):
        with pytest.raises(Forbidden) as refused:
            r.decide(led(), above, NOW)
        assert refused.value.code == "not_above"


def test_no_other_cohost_grants() -> None:
    with pytest.raises(Forbidden):
        r.decide(led(), r.Grant("cleo", "hanna"), NOW)


def test_the_host_who_is_back_is_host_again() -> None:
    back = after(led(), r.ReturnHost(r.HOUSE))
    assert (back.acting, back.successor) == (None, "cora")
    with pytest.raises(Forbidden):
        r.decide(back, r.Grant("cora", "hanna"), NOW)
    assert r.decide(back, r.ReturnHost(r.HOUSE), NOW) == ()
    assert after(back, gone("host")).acting == "cora", "and may go again"


def test_the_host_grants_all_the_time() -> None:
    assert after(led(), r.Grant("host", "hanna")).has_floor("hanna")


@pytest.mark.parametrize("start", [stage, led])
def test_where_both_have_gone_the_room_ends(start: object) -> None:
    found = after(stage(), r.NameSuccessor("host", "cora")) if start is stage else led()
    assert after(found, gone(*BOTH)).state is r.Lifecycle.ENDED


def test_another_one_whom_the_host_named_since_follows_upon_the_first() -> None:
    assert after(led(), r.NameSuccessor("host", "cleo"), gone(*BOTH)).acting == "cleo"


@pytest.mark.parametrize("taken", [r.RemoveCohost("host", "cora"), r.Remove("host", "cora")])
def test_who_is_cohost_no_more_is_in_nobodys_place(taken: r.Command) -> None:
    found = after(led(), taken)
    assert (found.acting, found.successor) == (None, None)
    assert after(found, gone("host")).state is r.Lifecycle.ENDED


def test_only_one_is_named_and_only_a_cohost() -> None:
    named = after(stage(), r.NameSuccessor("host", "cora"), r.NameSuccessor("host", "cleo"))
    assert named.successor == "cleo"
    assert r.decide(named, r.NameSuccessor("host", "cleo"), NOW) == ()
    assert r.decide(named, r.DropSuccessor("host", "cora"), NOW) == ()
    assert after(named, r.DropSuccessor("host", "cleo")).successor is None
    with pytest.raises(Conflict) as refused:
        r.decide(named, r.NameSuccessor("host", "sam"), NOW)
    assert refused.value.code == "not_cohost"


def test_a_room_that_is_not_live_waits_for_nobody() -> None:
    assert r.decide(room(starts_at=NOW), gone("host"), NOW) == ()
