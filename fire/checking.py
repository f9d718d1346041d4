"""The proof on a recorded history: pure, and with its own few rules of what an event makes of a room.

Two bounds make it exact without knowing the server's clock. The state that a command was answered from lies not before
anything that was known when it was sent; and the k-th event of a kind cannot be older than the k-th command that could
have caused it. So for each instant there is a stretch of states in which the room may have been, and what was heard
then must be right in at least one of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from fire.states import State, after, from_snapshot

Line = Mapping[str, Any]
_ROOM_PATH = re.compile(r"/api/rooms/([^/?]+)/([a-z]+)(?:/([^/?]+))?$")
_ALL = "*"


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule` is one of those in `fire.history`; `detail` is for whoever has to find out why."""

    rule: str
    detail: str


@dataclass(slots=True)
class Command:
    who: str
    room: str
    verb: str
    """Method and what it is about: "PUT floor"."""
    target: str
    sent: float
    answered: float | None = None
    status: int | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def may_have_happened(self) -> bool:
        return self.status is None or self.status < 300 or self.status >= 500

    def __str__(self) -> str:
        return f"{self.who}'s {self.verb} {self.target} at {self.sent:.3f}"


Effect = Callable[[State, str], bool]
_EFFECTS: dict[str, Effect] = {
    "PUT hands": lambda s, who: who in s.hands,
    "DELETE hands": lambda s, who: who not in s.hands,
    "PUT floor": lambda s, who: who in s.floor,
    "POST accept": lambda s, who: who in s.floor,
    "POST decline": lambda s, who: who not in s.offers,
    "DELETE floor": lambda s, who: who not in s.floor | s.offers,
    "PUT mutes": lambda s, who: who in s.muted,
    "DELETE mutes": lambda s, who: who not in s.muted,
    "PUT removed": lambda s, who: who in s.removed,
    "DELETE removed": lambda s, who: who not in s.removed,
    "PUT cohosts": lambda s, who: who in s.cohosts,
    "DELETE cohosts": lambda s, who: who not in s.cohosts,
    "POST start": lambda s, _: s.live,
    "POST end": lambda s, _: not s.live,
}
_SILENCERS = ("DELETE floor", "PUT mutes", "PUT removed", "POST end")
_CAUSES: dict[str, tuple[str, ...]] = {
    "hand.raised": ("PUT hands",),
    "hand.lowered": ("DELETE hands",),
    "floor.offered": ("PUT floor",),
    "floor.declined": ("POST decline", "DELETE floor"),
    "floor.granted": ("PUT floor", "POST accept"),
    "floor.revoked": ("DELETE floor",),
    "speaker.muted": ("PUT mutes",),
    "speaker.unmuted": ("DELETE mutes",),
    "person.removed": ("PUT removed",),
    "person.restored": ("DELETE removed",),
    "cohost.added": ("PUT cohosts",),
    "cohost.removed": ("DELETE cohosts",),
    "room.started": ("POST start",),
    "room.ended": ("POST end",),
}


def check(history: Iterable[Line]) -> list[Violation]:
    """Everything that is wrong with a history; its lines may be in any order."""
    lines = sorted(history, key=lambda line: line["at"])
    told = _by_room(line for line in lines if line["what"] == "told")
    heard = _by_room(line for line in lines if line["what"] == "heard")
    commands = _commands(lines)
    found = [*_owners(lines), *_epochs_heard(lines)]
    for room in sorted({*told, *heard, *(c.room for c in commands if c.succeeded)}):
        found += _check_room(room, told[room], heard[room], [c for c in commands if c.room == room])
    return found


def _check_room(room: str, told: list[Line], heard: list[Line], commands: list[Command]) -> list[Violation]:
    found = [*_numbers(told), *_same_for_all(told)]
    events = {line["seq"]: line for line in told if line["kind"] != "snapshot"}
    snapshots = sorted((line for line in told if line["kind"] == "snapshot"), key=lambda line: line["seq"])
    if not snapshots:
        return [*found, Violation("unread_room", f"nobody read room {room} from a snapshot on")]
    states = _states(snapshots, events)
    found += _snapshots(snapshots, states)
    not_before = _not_before(states, events, commands)
    lost, silenced = _lost(commands, states, told, not_before)
    return [*found, *lost, *_heard(heard, states, silenced, not_before)]


def _by_room(lines: Iterable[Line]) -> defaultdict[str, list[Line]]:
    rooms: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        rooms[line["room"]].append(line)
    return rooms


def _commands(lines: list[Line]) -> list[Command]:
    """Those that change a room, by when they were sent."""
    found: dict[int, Command] = {}
    for line in lines:
        if line["what"] == "sent":
            command = _parsed(line)
            if command is not None:
                found[line["number"]] = command
        elif line["what"] == "answered" and line["number"] in found:
            command = found[line["number"]]
            command.answered, command.status = line["at"], line["status"]
            command.answer = line.get("answer") or {}
    return list(found.values())


def _parsed(line: Line) -> Command | None:
    match = _ROOM_PATH.match(line["path"])
    if match is None:
        return None
    room, about, target = match.groups()
    if about == "floor" and target in ("accept", "decline"):
        about, target = target, None
    verb = f"{line['method']} {about}"
    if verb not in _EFFECTS:
        return None
    mine = target == "me" or about in ("accept", "decline")
    return Command(line["who"], room, verb, line["who"] if mine else target or _ALL, line["at"])


def _owners(lines: list[Line]) -> list[Violation]:
    found, holder, newest = [], dict[tuple[str, int], str](), dict[str, int]()
    for line in lines:
        if line["what"] != "owner":
            continue
        room, epoch, process = line["room"], line["epoch"], line["process"]
        first = holder.setdefault((room, epoch), process)
        if first != process:
            found.append(Violation("two_owners", f"{first} and {process} in epoch {epoch} of {room}"))
            holder[room, epoch] = process
        if epoch < newest.get(room, epoch):
            found.append(Violation("epoch_back", f"{room}: owned in epoch {epoch} after {newest[room]}"))
        newest[room] = max(epoch, newest.get(room, epoch))
    return found


def _epochs_heard(lines: list[Line]) -> list[Violation]:
    found, newest = [], dict[tuple[str, str], int]()
    for line in lines:
        if line["what"] != "heard" or line.get("epoch") is None:
            continue
        ear = (line["listener"], line["room"])
        if line["epoch"] < newest.get(ear, 0):
            detail = f"{ear[0]} heard epoch {line['epoch']} after {newest[ear]} at {line['at']:.3f}"
            found.append(Violation("epoch_back", detail))
        newest[ear] = max(line["epoch"], newest.get(ear, 0))
    return found


def _numbers(told: list[Line]) -> list[Violation]:
    found, last = [], dict[str, int]()
    for line in told:
        reader, seq = line["reader"], line["seq"]
        before = last.get(reader)
        follows = line["kind"] == "snapshot" and (before is None or seq >= before)
        if not follows and (before is None or seq != before + 1):
            found.append(Violation("seq_gap", f"{reader} was told {line['kind']} {seq} after {before}"))
        last[reader] = seq
    return found


def _same_for_all(told: list[Line]) -> list[Violation]:
    found, first = [], dict[int, tuple[str, tuple[object, ...]]]()
    for line in told:
        if line["kind"] == "snapshot":
            continue
        said = (line["kind"], *(line["data"].get(name) for name in ("handle", "by", "at")))
        reader, agreed = first.setdefault(line["seq"], (line["reader"], said))
        if said != agreed:
            detail = f"{line['seq']} is {agreed} for {reader}, {said} for {line['reader']}"
            found.append(Violation("event_differs", detail))
    return found


def _states(snapshots: list[Line], events: Mapping[int, Line]) -> list[State]:
    """From the first snapshot on, as far as the events lead; over what nobody was told, a later snapshot leads on."""
    states = [_shown(snapshots[0])]
    while True:
        state = states[-1]
        event = events.get(state.seq + 1)
        if event is not None:
            states.append(after(state, event["seq"], event["kind"], event["data"].get("handle", "")))
            continue
        later = next((s for s in snapshots if s["seq"] > state.seq), None)
        if later is None:
            return states
        states.append(replace(_shown(later), removed=state.removed))


def _shown(snapshot: Line) -> State:
    return from_snapshot(snapshot["seq"], snapshot["data"])


def _snapshots(snapshots: list[Line], states: list[State]) -> list[Violation]:
    by_seq = {state.seq: state for state in states}
    found = []
    for line in snapshots:
        state, said = by_seq.get(line["seq"]), _shown(line)
        if state is not None and replace(said, removed=state.removed) != state:
            detail = f"{line['reader']}'s snapshot {line['seq']}: {said}, by the events {state}"
            found.append(Violation("snapshot_differs", detail))
    return found


def _lost(
    commands: list[Command], states: list[State], told: list[Line], not_before: list[float]
) -> tuple[list[Violation], list[tuple[float, Command, int]]]:
    """Also each silence that was promised: when, by what, and from which state on.

    Each command takes the earliest state that it can have been answered from; if that fails, nothing else fits.
    """
    found: list[Violation] = []
    silenced: list[tuple[float, Command, int]] = []
    seqs = [state.seq for state in states]
    at = [line["at"] for line in told]
    known = list(accumulate((min(bisect_left(seqs, line["seq"]), len(seqs) - 1) for line in told), max))
    answered: list[float] = []
    reached: list[int] = []
    for command in sorted((c for c in commands if c.succeeded), key=lambda c: c.answered or 0.0):
        told_before, done_before = bisect_left(at, command.sent), bisect_left(answered, command.sent)
        least = max(
            known[told_before - 1] if told_before else 0, reached[done_before - 1] if done_before else 0
        )
        until = bisect_right(not_before, command.answered or 0.0)
        place = next((i for i in range(least, until) if _holds(command, states[i])), None)
        if place is None:
            found.append(Violation("command_lost", f"{command} was answered {command.status} and is nowhere"))
            place = least
        elif command.verb in _SILENCERS:
            silenced.append((command.answered or 0.0, command, place))
        answered.append(command.answered or 0.0)
        reached.append(max(place, reached[-1] if reached else 0))
    return found, silenced


def _holds(command: Command, state: State) -> bool:
    if command.target == _ALL and command.verb == "PUT mutes":
        return state.floor - {state.host} - state.cohosts <= state.muted
    if command.answer.get("state") == "offered":
        return command.target in state.offers | state.floor
    return _EFFECTS[command.verb](state, command.target)


def _not_before(states: list[State], events: Mapping[int, Line], commands: list[Command]) -> list[float]:
    """For each state the earliest instant at which it can have been so."""
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    causes: dict[tuple[str, str], list[float]] = {}
    bounds = [float("-inf")]
    total = defaultdict[tuple[str, str], int](int)
    for state in states[1:]:
        total[_kind(events.get(state.seq))] += 1
    for state in states[1:]:
        kind = _kind(events.get(state.seq))
        if kind not in causes:
            causes[kind] = sorted(c.sent for c in commands if c.may_have_happened and _can_cause(c, *kind))
        sent = causes[kind]
        # More of them than commands: somebody acts who is not in the record, at any time.
        bound = sent[counts[kind]] if total[kind] <= len(sent) else float("-inf")
        counts[kind] += 1
        bounds.append(max(bound, bounds[-1]))
    return bounds


def _kind(event: Line | None) -> tuple[str, str]:
    return (event["kind"], event["data"].get("handle", _ALL)) if event is not None else ("", "")


def _can_cause(command: Command, kind: str, handle: str) -> bool:
    return command.verb in _CAUSES.get(kind, ()) and command.target in (handle, _ALL)


def _heard(
    heard: list[Line],
    states: list[State],
    silenced: list[tuple[float, Command, int]],
    not_before: list[float],
) -> list[Violation]:
    found = []
    promises: dict[str, _Promises] = {}
    for line in heard:
        last = bisect_right(not_before, line["at"])
        for voice in line["voices"]:
            if voice not in promises:
                promises[voice] = _Promises(voice, states, silenced)
            command, is_broken = promises[voice].broken_by(line["at"], last)
            if not is_broken:
                continue
            where = f"{voice} at {line['listener']} at {line['at']:.3f}"
            if command is None:
                found.append(Violation("heard_without_floor", where))
            else:
                found.append(Violation("heard_after_silence", f"{where}, silenced by {command}"))
    return found


class _Promises:
    """The silences that one voice was put under, and the states in which it may sound."""

    def __init__(self, voice: str, states: list[State], silenced: list[tuple[float, Command, int]]) -> None:
        self._answered: list[float] = []
        self._latest: list[tuple[int, Command]] = []
        for answered, command, place in silenced:
            if command.target in (voice, _ALL) and not states[place].may_sound(voice):
                latest = self._latest[-1] if self._latest else (place, command)
                self._answered.append(answered)
                self._latest.append((place, command) if place >= latest[0] else latest)
        self._may = list(accumulate((state.may_sound(voice) for state in states), initial=0))

    def broken_by(self, at: float, last: int) -> tuple[Command | None, bool]:
        """The silence in force at `at`, and whether the voice may sound in none of the states from it to `last`."""
        before = bisect_left(self._answered, at)
        if not before:
            return None, self._may[last] == 0
        place, command = self._latest[before - 1]
        return command, self._may[last] <= self._may[place]
