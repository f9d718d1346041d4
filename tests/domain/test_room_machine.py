"""The room under every command by everybody, in any order: what must hold whatever people do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from parola.domain import rooms as r
from parola.domain.errors import Refusal
from parola.domain.rollout import Policies, Stage
from parola.domain.rooms.commands import TargetedCommand

HOST = "host"
PEOPLE = (HOST, "ada", "bob", "carla", "dora")
SINGLE = (
    r.Start, r.RaiseHand, r.LowerHand, r.Accept, r.Decline, r.MuteAll, r.LockHands, r.UnlockHands, r.Next, r.LiftTurns,
    r.UnslowHands, r.Sweep, r.ReturnHost,
)  # fmt: skip
TARGETED = (
    r.DismissHand, r.Grant, r.Revoke, r.Mute, r.Unmute, r.Remove, r.Restore, r.AddCohost, r.RemoveCohost, r.Invite,
    r.Uninvite, r.NameSuccessor, r.DropSuccessor, r.ShutOut, r.LetIn, r.Vanish,
)  # fmt: skip
TERMS = r.Terms(1, Stage.TESTERS, Policies(speakers_at_most=2, minutes_at_most=10))
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)

people = st.sampled_from(PEOPLE)


class RoomMachine(RuleBasedStateMachine):
    """Every step is a command of anybody; refusals are part of the game, everything else that is raised is a bug."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.history: list[r.Event] = []
        self.granted_by_host: set[str] = set()
        """Or by whom the house has put in the host's place, whom the host had named."""
        self.named: set[str] = set()

    @initialize(
        access=st.sampled_from(list(r.Access)), scheduled=st.booleans(), terms=st.sampled_from([None, TERMS])
    )
    def open(self, access: r.Access, scheduled: bool, terms: r.Terms | None) -> None:
        starts_at = BEGIN + timedelta(hours=1) if scheduled else None
        events = r.create("room", HOST, "A room", access, True, starts_at, self.now, 4, terms=terms)
        self.room = r.fold(None, events)
        self.history = list(events)

    @rule(kind=st.sampled_from(SINGLE), by=people)
    def one(self, kind: type[r.Command], by: str) -> None:
        self._do(kind(by))

    @rule(kind=st.sampled_from(TARGETED), by=people, whom=people)
    def about(self, kind: type[TargetedCommand], by: str, whom: str) -> None:
        self._do(kind(by, whom))

    @rule(by=people, what=st.sampled_from(["note", "", "other note"]))
    def note(self, by: str, what: str) -> None:
        self._do(r.RaiseHand(by, what))

    @rule(
        by=people,
        hard_s=st.sampled_from([10, 30]),
        capacity=st.integers(1, 4),
        pause_s=st.sampled_from([5, 60]),
        listeners_at_most=st.none() | st.integers(1, 3),
    )
    def arrange(
        self, by: str, hard_s: int, capacity: int, pause_s: int, listeners_at_most: int | None
    ) -> None:
        for command in (
            r.SetTurns(by, 5, hard_s),
            r.SizeStage(by, capacity),
            r.SlowHands(by, pause_s),
            r.LimitListeners(by, listeners_at_most),
        ):
            self._do(command)

    @rule(seconds=st.sampled_from([1, 11, 61]))
    def wait_and_sweep(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self._do(r.Sweep(r.HOUSE))
        due_at = self.room.due_at
        assert due_at is None or due_at > self.now, "nothing that is over is left"

    @rule(absent=st.frozensets(people))
    def leave(self, absent: frozenset[str]) -> None:
        self._do(r.LeaveHost(r.HOUSE, absent))

    @rule()
    def come_back(self) -> None:
        self._do(r.ReturnHost(r.HOUSE))

    @rule(minutes=st.sampled_from([1, 6]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        for _ in range(2):
            self._do(r.RunOut(r.HOUSE))
        assert self.room.wakes_at is None or self.room.wakes_at > self.now, "nothing that is over is left"

    @rule(whom=people)
    def silence(self, whom: str) -> None:
        self._do(r.Silence(r.ADMINISTRATION, whom))
        assert not self.room.may_be_heard(whom)

    @rule(whom=st.sampled_from(PEOPLE[1:]))
    def put_out(self, whom: str) -> None:
        self._do(r.PutOut(r.ADMINISTRATION, whom))
        if self.room.state is r.Lifecycle.LIVE:
            assert whom in self.room.removed - self.room.visitors

    @rule(absent=st.frozensets(people))
    def hands_of_the_gone(self, absent: frozenset[str]) -> None:
        self._do(r.LowerHands(r.HOUSE, absent))
        if self.room.state is r.Lifecycle.LIVE:
            assert not absent & {hand.account for hand in self.room.hands}

    @rule(whom=people, kind=st.sampled_from([r.Visit, r.EndVisit]))
    def visit(self, whom: str, kind: type[r.Visit] | type[r.EndVisit]) -> None:
        self._do(kind(r.ADMINISTRATION, whom))

    @rule(whom=people)
    def vanish(self, whom: str) -> None:
        self._do(r.Vanish(whom, whom))
        if whom != HOST and self.room.state is not r.Lifecycle.ENDED:
            held = r.encode_room(replace(self.room, removed=frozenset(), shut_out=frozenset(), rests=()))
            assert f'"{whom}"' not in json.dumps(held, default=str), "nothing is left that names them"

    @rule(by=people, dice=st.integers(0, 30))
    def end(self, by: str, dice: int) -> None:
        if dice == 0:
            self._do(r.End(by))
        elif dice == 1:
            self._do(r.PutOut(r.ADMINISTRATION, HOST))

    def _do(self, command: r.Command) -> None:
        self.now += timedelta(milliseconds=1)
        before = self.room
        try:
            events = r.decide(before, command, self.now)
        except Refusal:
            return
        after = r.fold(before, events)
        if isinstance(command, r.Grant | r.Next) and events:
            assert command.by in (HOST, before.acting), (
                "nobody but the host grants, and who is in the host's place"
            )
            granted = [e for e in events if isinstance(e, r.FloorGranted | r.FloorOffered)]
            self.granted_by_host.update(e.account for e in granted)
        self.batch = events, before
        for event in events:
            self._note(event, before)
        self.history += events
        self.room = after
        self._repeats_add_nothing(command)

    def room_before(self, event: r.Event) -> r.Room:
        """Where several happen at once."""
        events, before = self.batch
        return (
            r.fold(before, [e for e in events if e.seq < event.seq]) if event.seq > events[0].seq else before
        )

    def _note(self, event: r.Event, before: r.Room) -> None:
        if isinstance(event, r.FloorGranted):
            assert event.account in self.granted_by_host, "a floor that the host never gave"
            assert event.account not in before.removed | before.shut_out
            taken = before.capacity is None or len(self.room_before(event).speakers) < before.capacity
            assert taken, "more than the stage holds"
            offer = before.offer(event.account)
            assert event.by != event.account or (offer is not None and offer.is_open(self.now))
        if isinstance(event, r.FloorOffered):
            assert event.expires_at is not None
        if isinstance(event, r.HostSucceeded):
            assert event.account in self.named, "nobody whom the host has not named"
        if isinstance(event, r.SuccessorNamed):
            assert event.by == HOST
            self.named.add(event.account)
        if isinstance(event, r.HandRaised):
            assert not before.hands_locked
            resting = [x for x in before.rests if x.account == event.account and x.until > self.now]
            assert not resting or before.is_moderator(event.account)
        if isinstance(event, r.HandsLocked | r.HandsUnlocked):
            assert event.by in (HOST, before.acting), "nobody but the host locks"
            assert self.room.hands == before.hands, "hands that are up stay"
        if isinstance(event, r.FloorRevoked | r.FloorDeclined | r.PersonRemoved):
            self.granted_by_host.discard(event.account)
        if isinstance(event, r.PersonShutOut | r.PersonLetIn):
            assert event.by in (HOST, event.account), "a block is between these two alone"
        if isinstance(event, r.ListenersLimited):
            assert event.by == HOST
        if isinstance(event, r.SpeakerUnmuted):
            assert event.by == event.account, "nobody opens someone else's microphone"

    def _repeats_add_nothing(self, command: r.Command) -> None:
        if isinstance(command, r.Start | r.End | r.Accept | r.Decline | r.Grant | r.Next):
            return  # those have an answer of their own when they come twice
        try:
            again = r.decide(self.room, command, self.now)
        except Refusal as refusal:
            # Who lost their right by the command itself may not do it again.
            lost = {
                "removed",
                "moderator_only",
                "host_only",
                "not_speaking",
                "not_above",
                "not_cohost",
                "not_found",
            }
            again = () if refusal.code in lost else self.history
        assert len(again) == 0

    @invariant()
    def the_floor_is_law(self) -> None:
        for account in (*PEOPLE, "stranger"):
            if self.room.may_be_heard(account):
                assert self.room.state is r.Lifecycle.LIVE
                assert self.room.has_floor(account)
                assert account not in self.room.removed | self.room.shut_out
                assert not self.room.is_muted(account)
                assert account == HOST or account in self.granted_by_host

    @invariant()
    def who_is_put_out_has_nothing(self) -> None:
        for account in self.room.removed | self.room.shut_out:
            assert not self.room.has_floor(account)
            assert not self.room.has_hand(account)
            assert not self.room.is_offered(account)
            assert account not in self.room.cohosts

    @invariant()
    def no_stage_is_larger_than_the_terms(self) -> None:
        if self.room.terms is not None:
            assert self.room.capacity is not None
            assert self.room.capacity <= self.room.terms.policies.speakers_at_most

    @invariant()
    def the_host_stays(self) -> None:
        assert self.room.speakers[0].account == HOST
        assert HOST not in self.room.removed | self.room.shut_out

    @invariant()
    def hands_are_in_order_and_apart_from_the_floor(self) -> None:
        raised = [hand.raised_at for hand in self.room.hands]
        assert raised == sorted(raised)
        waiting = [hand.account for hand in self.room.hands]
        assert len(set(waiting)) == len(waiting)
        assert not set(waiting) & {s.account for s in self.room.speakers}
        assert not {o.account for o in self.room.offers} & {s.account for s in self.room.speakers}

    @invariant()
    def whoever_leads_is_a_cohost_and_has_no_turn(self) -> None:
        for account in filter(None, (self.room.successor, self.room.acting)):
            assert account in self.room.cohosts
        for speaker in self.room.speakers:
            if self.room.is_moderator(speaker.account):
                assert speaker.turn is None
            elif self.room.turns is not None:
                assert speaker.turn is not None

    @invariant()
    def rests_do_not_pile_up(self) -> None:
        assert len({x.account for x in self.room.rests}) == len(self.room.rests) <= len(PEOPLE)

    @invariant()
    def the_terms_are_those_of_the_start(self) -> None:
        begun = [event.terms for event in self.history if isinstance(event, r.RoomStarted)]
        assert self.room.terms == (begun[0] if begun else None)

    @invariant()
    def seq_has_no_gaps(self) -> None:
        assert [event.seq for event in self.history] == list(range(1, self.room.seq + 1))

    @invariant()
    def everything_survives_being_written_down(self) -> None:
        assert r.decode_room(r.encode_room(self.room)) == self.room

    def teardown(self) -> None:
        """Any prefix and the rest of the events give the same room, also through their written form."""
        if not self.history:
            return
        snapshot: r.Room | None = None
        for i, event in enumerate(self.history):
            assert r.decode_event(r.encode_event(event)) == event
            assert r.fold(snapshot, self.history[i:]) == self.room
            snapshot = r.evolve(snapshot, event)


RoomMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRoomMachine = RoomMachine.TestCase
