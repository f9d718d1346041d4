"""A good history passes; each way to spoil it is found, and as that and nothing else."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.peer import OPUS_PT, RED_PT
from bench.scene import Tone
from fire.history import Recorder, check, read
from fire.voices import TONES, Voices
from parola.client.api import ProtocolError
from parola.media.codec import Encoder
from parola.rtp import red
from parola.rtp.rtp import RtpPacket

Line = dict[str, Any]
ROOM = "room1"
PATH = f"/api/rooms/{ROOM}"


class Story:
    """Makes a history as a recorder would, of a room whose host is ada; every step takes a tenth of a second."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.now = 10.0
        self.seq = 1
        self.number = 0
        snapshot = {
            "state": "live", "host": {"handle": "ada"}, "speakers": [{"handle": "ada", "muted": False}],
            "hands": [], "offers": [], "cohosts": [],
        }  # fmt: skip
        for reader in ("ada", "carla"):
            self.write("told", reader=reader, room=ROOM, seq=1, kind="snapshot", data=snapshot)
        self.write("owner", room=ROOM, process="m1", epoch=1)

    def write(self, what: str, **fields: object) -> None:
        self.now += 0.1
        self.lines.append({"at": self.now, "what": what, **fields})

    def command(self, who: str, method: str, path: str, *events: tuple[str, str], **answer: object) -> None:
        """Sent, committed and told, and answered after that."""
        self.number += 1
        self.write("sent", number=self.number, who=who, method=method, path=PATH + path)
        for kind, handle in events:
            self.seq += 1
            for reader in ("ada", "carla"):
                data = {"seq": self.seq, "at": f"t{self.seq}", "by": who, "handle": handle}
                self.write("told", reader=reader, room=ROOM, seq=self.seq, kind=kind, data=data)
        self.write("answered", number=self.number, status=200, answer=answer)

    def hear(self, *voices: str, epoch: int | None = None) -> None:
        self.write("heard", listener="carla", room=ROOM, voices=list(voices), epoch=epoch)


def evening() -> Story:
    """Bob gets the floor, is muted, opens his microphone again, loses the floor, gets it once more, is removed."""
    story = Story()
    story.hear("ada", epoch=1)
    story.command("bob", "PUT", "/hands/me", ("hand.raised", "bob"))
    story.command("ada", "PUT", "/floor/bob", ("floor.granted", "bob"), state="granted")
    story.hear("ada", "bob", epoch=1)
    story.command("bob", "PUT", "/mutes/bob", ("speaker.muted", "bob"))
    story.hear("ada", epoch=1)
    story.command("bob", "DELETE", "/mutes/bob", ("speaker.unmuted", "bob"))
    story.hear("bob", epoch=1)
    story.write("owner", room=ROOM, process="m2", epoch=2)
    story.hear("bob", epoch=2)
    story.command("ada", "DELETE", "/floor/bob", ("floor.revoked", "bob"))
    story.hear("ada", epoch=2)
    story.command("bob", "PUT", "/hands/me", ("hand.raised", "bob"))
    story.command("bob", "PUT", "/hands/me")  # holds already
    story.command("ada", "PUT", "/floor/bob", ("floor.granted", "bob"), state="granted")
    story.hear("bob", epoch=2)
    story.command("ada", "PUT", "/removed/bob", ("person.removed", "bob"))
    story.hear("ada", epoch=2)
    story.command("ada", "POST", "/end", ("room.ended", ""))
    story.hear(epoch=2)
    return story


def rules(lines: list[Line]) -> set[str]:
    return {violation.rule for violation in check(lines)}


def the(lines: list[Line], n: int = 0, **fields: object) -> Line:
    """The n-th line with these fields."""
    return [line for line in lines if all(line.get(k) == v for k, v in fields.items())][n]


def test_a_good_history_passes() -> None:
    assert check(evening().lines) == []


def test_the_order_of_the_lines_does_not_matter() -> None:
    lines = evening().lines
    random.Random(1).shuffle(lines)
    assert check(lines) == []


def _second_owner(lines: list[Line]) -> None:
    lines.append({**the(lines, what="owner", epoch=2), "process": "m3"})


def _owner_back(lines: list[Line]) -> None:
    lines.append({**the(lines, what="owner", epoch=1), "at": lines[-1]["at"]})


def _old_frame(lines: list[Line]) -> None:
    the(lines, -1, what="heard")["epoch"] = 1


def _event_missed_by_one(lines: list[Line]) -> None:
    lines.remove(the(lines, what="told", reader="carla", seq=4))


def _event_twice(lines: list[Line]) -> None:
    line = the(lines, what="told", reader="carla", seq=4)
    lines.append({**line, "at": line["at"] + 0.001})


def _another_event(lines: list[Line]) -> None:
    the(lines, what="told", reader="carla", seq=4)["data"]["at"] = "another"


def _wrong_snapshot(lines: list[Line]) -> None:
    first = copy.deepcopy(the(lines, kind="snapshot"))
    lines.append({**first, "at": lines[-1]["at"], "seq": 5, "reader": "late"})


def _last_command_lost(lines: list[Line]) -> None:
    for line in [line for line in lines if line.get("kind") == "room.ended"]:
        lines.remove(line)


def _later_command_lost(lines: list[Line]) -> None:
    """One that a later event seems to undo: bob's second hand."""
    late = [the(lines, n, what="told", kind="hand.raised") for n in (2, 3)]
    for line in late:
        lines.remove(line)
    for line in lines:
        if line["what"] == "told" and line["seq"] > late[0]["seq"]:
            line["seq"] -= 1


def _voice(after: str) -> Callable[[list[Line]], None]:
    def spoil(lines: list[Line]) -> None:
        number = next(
            x["number"] for x in reversed(lines) if x["what"] == "sent" and x["method"] + x["path"] == after
        )
        answered = the(lines, what="answered", number=number)["at"]
        lines.append(
            {"at": answered + 0.001, "what": "heard", "listener": "carla", "room": ROOM, "voices": ["bob"]}
        )

    return spoil


def _voice_too_early(lines: list[Line]) -> None:
    lines.append({**the(lines, what="heard"), "voices": ["bob"]})


def _nobody_read(lines: list[Line]) -> None:
    lines[:] = [line for line in lines if line["what"] != "told"]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (_second_owner, "two_owners"),
        (_owner_back, "epoch_back"),
        (_old_frame, "epoch_back"),
        (_event_missed_by_one, "seq_gap"),
        (_event_twice, "seq_gap"),
        (_another_event, "event_differs"),
        (_wrong_snapshot, "snapshot_differs"),
        (_last_command_lost, "command_lost"),
        (_later_command_lost, "command_lost"),
        (_voice(f"PUT{PATH}/mutes/bob"), "heard_after_silence"),
        (_voice(f"DELETE{PATH}/floor/bob"), "heard_after_silence"),
        (_voice(f"PUT{PATH}/removed/bob"), "heard_after_silence"),
        (_voice(f"POST{PATH}/end"), "heard_after_silence"),
        (_voice_too_early, "heard_without_floor"),
        (_nobody_read, "unread_room"),
    ],
)
def test_what_is_spoilt_is_found_and_nothing_else(spoil: Callable[[list[Line]], None], rule: str) -> None:
    lines = copy.deepcopy(evening().lines)
    spoil(lines)
    assert rules(lines) == {rule}


def test_every_lost_event_of_an_acknowledged_command_is_found() -> None:
    good = evening()
    for seq in range(2, good.seq + 1):
        lines = copy.deepcopy(good.lines)
        lines = [line for line in lines if not (line["what"] == "told" and line["seq"] == seq)]
        for line in lines:
            if line["what"] == "told" and line["seq"] > seq:
                line["seq"] -= 1
        assert "command_lost" in rules(lines), seq


def test_a_packet_between_the_event_and_its_answer_is_allowed() -> None:
    lines = evening().lines
    revoked = the(lines, kind="floor.revoked", reader="carla")["at"]
    lines.append(
        {"at": revoked + 0.01, "what": "heard", "listener": "carla", "room": ROOM, "voices": ["bob"]}
    )
    assert check(lines) == []


def test_a_voice_may_come_before_its_grant_is_answered_but_not_before_it_is_asked_for() -> None:
    lines = evening().lines
    sent = the(lines, what="sent", path=f"{PATH}/floor/bob")["at"]
    early = {"what": "heard", "listener": "carla", "room": ROOM, "voices": ["bob"]}
    assert check([*lines, {"at": sent + 0.01, **early}]) == []
    assert rules([*lines, {"at": sent - 0.01, **early}]) == {"heard_without_floor"}


def test_a_refused_or_open_command_promises_nothing() -> None:
    story = evening()
    for status in (503, 403, None):
        story.number += 1
        story.write("sent", number=story.number, who="ada", method="PUT", path=f"{PATH}/cohosts/carla")
        if status is not None:
            story.write("answered", number=story.number, status=status)
    assert check(story.lines) == []


def test_an_unanswered_revocation_may_take_effect_at_any_time() -> None:
    """The event stands (503 not_confirmed), the voice goes on a little: no promise was made."""
    story = Story()
    story.command("ada", "PUT", "/floor/bob", ("floor.granted", "bob"), state="granted")
    story.command("ada", "DELETE", "/floor/bob", ("floor.revoked", "bob"))
    the(story.lines, -1, what="answered")["status"] = 503
    story.hear("bob")
    assert check(story.lines) == []


def test_all_muted_but_host_and_cohosts() -> None:
    story = Story()
    story.command("ada", "PUT", "/floor/bob", ("floor.granted", "bob"), state="granted")
    story.command("ada", "PUT", "/mutes", ("speaker.muted", "bob"))
    story.hear("ada")
    assert check(story.lines) == []
    story.hear("bob")
    assert rules(story.lines) == {"heard_after_silence"}


def random_evening(dice: random.Random) -> Iterator[Story]:
    """A long room in which everybody does anything; commands whose effect holds already add no event."""
    story = Story()
    floor, muted, hands = {"ada"}, set[str](), set[str]()
    for _ in range(60):
        who = dice.choice(["bob", "dora", "elio"])
        match dice.choice(["hand", "grant", "revoke", "mute", "unmute", "hear"]):
            case "hand" if who not in floor:
                story.command(who, "PUT", "/hands/me", *[("hand.raised", who)] * (who not in hands))
                hands.add(who)
            case "grant" if who in hands:
                story.command("ada", "PUT", f"/floor/{who}", ("floor.granted", who), state="granted")
                hands.discard(who)
                floor.add(who)
                muted.discard(who)
            case "revoke":
                story.command("ada", "DELETE", f"/floor/{who}", *[("floor.revoked", who)] * (who in floor))
                floor.discard(who)
                muted.discard(who)
            case "mute" if who in floor:
                story.command("ada", "PUT", f"/mutes/{who}", *[("speaker.muted", who)] * (who not in muted))
                muted.add(who)
            case "unmute" if who in floor:
                story.command(who, "DELETE", f"/mutes/{who}", *[("speaker.unmuted", who)] * (who in muted))
                muted.discard(who)
            case "hear":
                story.hear(*(floor - muted))
                yield story


def test_random_evenings_pass_and_a_voice_that_may_not_be_heard_is_found() -> None:
    everybody = {"bob", "dora", "elio"}
    for seed in range(20):
        for story in random_evening(random.Random(seed)):
            assert check(story.lines) == [], seed
            for voice in everybody - set(story.lines[-1]["voices"]):
                assert rules([*story.lines[:-1], {**story.lines[-1], "voices": [voice]}]) <= {
                    "heard_after_silence",
                    "heard_without_floor",
                }
                assert check([*story.lines[:-1], {**story.lines[-1], "voices": [voice]}]) != [], (seed, voice)


async def test_a_recorder_writes_what_the_checker_reads(tmp_path: Path) -> None:
    class Answering:
        async def call(self, method: str, path: str, body: object = None) -> object:
            if "nobody" in path:
                raise ProtocolError(404, "not_found", "no")
            return {"state": "granted", "name": "not kept"}

    path = tmp_path / "history.jsonl"
    recorder = Recorder(path)
    answer = await recorder.call("ada", Answering(), "PUT", f"{PATH}/floor/bob")  # type: ignore[arg-type]
    assert answer["state"] == "granted"
    with pytest.raises(ProtocolError):
        await recorder.call("ada", Answering(), "PUT", f"{PATH}/floor/nobody")  # type: ignore[arg-type]
    recorder.told("ada", ROOM, 3, "floor.granted", {"handle": "bob"})
    recorder.owner(ROOM, "m1", 1)
    recorder.heard("carla", ROOM, {"bob"})
    recorder.close()
    assert list(read(path)) == recorder.lines == [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["what"] for line in recorder.lines] == [
        "sent", "answered", "sent", "answered", "told", "owner", "heard",
    ]  # fmt: skip
    assert [line.get("status") for line in recorder.lines[1:4:2]] == [200, 404]


def packet(payload: bytes, payload_type: int = OPUS_PT) -> RtpPacket:
    return RtpPacket(payload_type, False, 1, 960, 1, payload=payload)


def mixed(*frequencies: float, seconds: float = 0.4) -> list[bytes]:
    t = np.arange(int(seconds * 48_000)) / 48_000
    sound = sum((0.3 / max(1, len(frequencies) - 1)) * np.sin(2 * np.pi * f * t) for f in frequencies)
    frames = np.asarray(sound, np.float32).reshape(-1, 960)
    encoder = Encoder()
    return [encoder.encode(frame) for frame in frames]


def test_each_of_several_voices_is_told_apart() -> None:
    names = dict(zip("abcdef", TONES, strict=True))
    for present in ("a", "f", "ab", "ce", "abcd"):
        ear = Voices(names)
        heard = [ear.of(packet(p)) for p in mixed(*(names[n] for n in present))]
        assert all(found == set(present) for found in heard[2:]), present


def test_a_voice_that_begins_or_ends_is_not_taken_for_another() -> None:
    names = dict(zip("abcdef", TONES, strict=True))
    for name, frequency in names.items():
        tone, ear = Tone(frequency), Voices(names)
        heard = [ear.of(packet(tone.packet(loud=n % 6 < 3))) for n in range(60)]
        assert set().union(*heard) == {name}


def test_a_voice_in_a_redundant_block_is_heard() -> None:
    names = {"bob": 450.0}
    loud, quiet = mixed(450.0), mixed(1000.0)
    ear = Voices(names)
    assert ear.of(packet(red.encode(OPUS_PT, quiet[5], [(960, loud[5])]), RED_PT)) == {"bob"}
    ear.of(packet(quiet[6]))
    assert ear.of(packet(red.encode(OPUS_PT, quiet[7], [(960, quiet[6])]), RED_PT)) == frozenset()
