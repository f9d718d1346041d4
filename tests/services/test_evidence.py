"""Sealing a room's last minutes for a report, hearing them, and that nothing is left of them in the end."""

from __future__ import annotations

import asyncio
import base64
import io
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from parola.bus import Message, subjects
from parola.bus.messages import EvidenceOrder, EvidencePart
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, Invalid, NotFound
from parola.domain.evidence import Part
from parola.domain.moderation import About, Reason
from parola.media.codec import Encoder
from parola.media.keeping import Keeping
from parola.rtp.hpke import HpkeError, PrivateKeys, UnknownKey, new_key
from parola.services import evidence as module
from parola.services.actor import AT_THE_MACHINE, Actor
from parola.services.evidence import Evidence
from parola.services.evidence_keys import EvidenceKeys
from parola.store import Blobs, BlobsUnavailable
from tests.media.fakes import live_room
from tests.services.house import MEDIA, House, opened

BEGIN = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
REPORT = "report_1"


class Media:
    """A media process that keeps, and answers over the bus."""

    def __init__(self, house: House, keys: EvidenceKeys, process_id: str = MEDIA) -> None:
        self.now = 500.0
        self.keeping = Keeping(keys.public(), lambda: self.now, BEGIN.timestamp() - 500, 600.0)
        self.process_id = process_id
        self._house = house
        self._encoder = Encoder()
        self._phase = 0

    async def start(self) -> None:
        await self._house.store.leases.beat(self.process_id, "here", 0.0)
        await self._house.bus.subscribe(subjects.media(self.process_id, "evidence"), self._answer)
        await self._house.services.projections.leases.look()

    def says(self, seconds: float, who: str = "host", hertz: float = 440.0, room: str = "room") -> None:
        kept = self.keeping.open(room)
        for _ in range(round(seconds * 50)):
            t = (np.arange(960) + self._phase) / 48_000
            self._phase += 960
            packet = self._encoder.encode((0.3 * np.sin(2 * np.pi * hertz * t)).astype(np.float32))
            kept.heard(_room(room, who), round(self.now / 0.02), self.now, (who,), packet)
            self.now += 0.02

    async def _answer(self, message: Message) -> None:
        order = EvidenceOrder.from_bytes(message.data)
        found, until = self.keeping.part(order.room_id, order.after, order.until)
        pieces = [(one.number, base64.b64encode(one.data).decode()) for one in found]
        await message.respond(EvidencePart(pieces, until).to_bytes())


def _room(room_id: str, who: str) -> Any:
    room = live_room(*(() if who == "host" else (who,)))
    object.__setattr__(room, "id", room_id)
    return room


class Scene:
    """A house with one media process, a storage of its own and a clock that one sets."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.folder = folder
        self.now = BEGIN
        self.keys = EvidenceKeys("", folder / "evidence.key")
        self.keys.make()
        self.media = Media(house, self.keys)
        self.evidence = self.another()

    def another(self, keys: EvidenceKeys | None = None, blobs: Blobs | None = None) -> Evidence:
        """The same in another web process."""
        return Evidence(
            self.house.store,
            blobs or Blobs((self.folder / "blobs").as_uri()),
            self.house.bus,
            self.house.services.projections,
            keys or self.keys,
            lambda: self.now,
            30,
        )

    @property
    def objects(self) -> list[Path]:
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]

    async def sealed(self) -> None:
        self.media.says(10)
        assert await self.evidence.seal("room", REPORT)

    async def hears(self, evidence: Evidence | None = None, actor: Actor = AT_THE_MACHINE) -> bytes:
        evidence = evidence or self.evidence
        ticket = await evidence.listen(actor, REPORT, "to judge")
        return await evidence.redeem(actor, REPORT, ticket.token)

    async def is_gone(self) -> bool:
        for ask in (self.evidence.about(AT_THE_MACHINE, REPORT), self.hears()):
            with pytest.raises(NotFound):
                await ask
        return not self.objects and await self.house.store.evidence.of(REPORT) is None


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as house:
        scene = Scene(house, tmp_path)
        await scene.media.start()
        yield scene


def sound_of(file: bytes) -> np.ndarray:
    with av.open(io.BytesIO(file)) as container:
        assert container.format.name == "ogg"
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


def amplitude(sound: np.ndarray, hertz: float) -> float:
    t = np.arange(sound.size) / 48_000
    return float(2 * abs(np.dot(sound, np.exp(-2j * np.pi * hertz * t))) / sound.size)


async def test_a_report_seals_what_was_heard_and_an_administrator_hears_it(scene: Scene) -> None:
    scene.media.says(4, "host", 440)
    scene.media.now += 10
    scene.media.says(6, "bob", 1000)
    assert await scene.evidence.seal("room", REPORT)
    about = await scene.evidence.about(AT_THE_MACHINE, REPORT)
    assert about.length_ms == 20_000
    assert about.parts == (Part(0, round(BEGIN.timestamp() * 1000)),)
    assert [(span.account, span.from_ms, span.to_ms) for span in about.spans] == [
        ("host", 0, 4000),
        ("bob", 14_000, 20_000),
    ]
    assert about.sealed.expires_at - about.sealed.sealed_at == 30 * 86_400_000
    sound = sound_of(await scene.hears())
    assert abs(sound.size / 48_000 - 20) < 0.05
    assert amplitude(sound[: 4 * 48_000], 440) > 0.2
    assert np.abs(sound[5 * 48_000 : 13 * 48_000]).max() < 0.001
    assert amplitude(sound[15 * 48_000 :], 1000) > 0.2


async def test_what_is_stored_is_not_readable_without_the_key(scene: Scene) -> None:
    await scene.sealed()
    (stored,) = scene.objects
    data = stored.read_bytes()
    assert len(data) > 20_000
    assert b"host" not in data
    assert b"room" not in data
    assert (scene.folder / "evidence.key").stat().st_mode & 0o777 == 0o600


async def test_each_hearing_is_in_the_log_before_a_byte_and_a_ticket_opens_once(scene: Scene) -> None:
    await scene.sealed()
    ticket = await scene.evidence.listen(AT_THE_MACHINE, REPORT, "to judge")
    entries = await scene.house.store.audit.after(0, 10)
    assert [entry.deed for entry in entries] == [Deed("-", "listen", "evidence", REPORT, "to judge")]
    redeemed = await asyncio.gather(
        *(scene.another().redeem(AT_THE_MACHINE, REPORT, ticket.token) for _ in range(5)),
        return_exceptions=True,
    )
    assert sorted(isinstance(one, bytes) for one in redeemed) == [False] * 4 + [True]
    assert len(await scene.house.store.audit.after(0, 10)) == 1


async def test_a_ticket_is_for_one_person_one_report_and_one_minute(scene: Scene) -> None:
    await scene.sealed()
    assert await scene.evidence.seal("room", "other")
    ticket = await scene.evidence.listen(Actor("ada"), REPORT, "to judge")
    for actor, report, token in (
        (Actor("bob"), REPORT, ticket.token),
        (Actor("ada"), "other", ticket.token),
        (Actor("ada"), REPORT, "guessed"),
    ):
        with pytest.raises(NotFound):
            await scene.evidence.redeem(actor, report, token)
    scene.now += timedelta(seconds=60)
    with pytest.raises(NotFound):
        await scene.evidence.redeem(Actor("ada"), REPORT, ticket.token)


async def test_a_hearing_needs_a_reason(scene: Scene) -> None:
    await scene.sealed()
    with pytest.raises(Invalid):
        await scene.evidence.listen(AT_THE_MACHINE, REPORT, " ")
    assert await scene.house.store.audit.after(0, 10) == []


async def test_of_a_room_in_which_nothing_was_heard_there_is_nothing_to_seal(scene: Scene) -> None:
    scene.media.says(5, room="elsewhere")
    assert not await scene.evidence.seal("room", REPORT)
    assert scene.objects == []
    assert await scene.is_gone()


async def test_sealing_at_the_same_time_is_sealing_once(scene: Scene) -> None:
    scene.media.says(10)
    sealed = await asyncio.gather(*(scene.another().seal("room", REPORT) for _ in range(4)))
    assert sealed == [True] * 4
    assert len(scene.objects) == 1
    about = await scene.evidence.about(AT_THE_MACHINE, REPORT)
    assert about.length_ms == 10_000


async def test_who_joins_a_report_later_seals_what_was_said_since(scene: Scene) -> None:
    await scene.sealed()
    first = await scene.house.store.evidence.of(REPORT)
    assert first is not None
    scene.media.says(10, "bob")
    scene.now += timedelta(seconds=10)
    sealed = await asyncio.gather(*(scene.another().seal("room", REPORT) for _ in range(4)))
    assert sealed == [True] * 4
    assert len(scene.objects) == 1, "in one place"
    about = await scene.evidence.about(AT_THE_MACHINE, REPORT)
    assert [(span.account, span.to_ms) for span in about.spans] == [("host", 10_000), ("bob", 20_000)]
    assert about.sealed.expires_at == first.expires_at, "not longer than what came first"
    assert sound_of(await scene.hears()).size / 48_000 == pytest.approx(20, abs=0.05)


async def test_nothing_is_added_to_what_is_over(scene: Scene) -> None:
    await scene.sealed()
    await scene.house.store.evidence.expire(REPORT, round(scene.now.timestamp() * 1000))
    scene.media.says(10)
    assert not await scene.evidence.seal("room", REPORT)
    await scene.evidence.look()
    assert await scene.is_gone()


async def test_a_storage_that_cannot_forget_the_old_place_loses_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.sealed()
    scene.media.says(10)

    async def away(_: Blobs, path: str) -> None:
        raise BlobsUnavailable(path)

    with monkeypatch.context() as here:
        here.setattr(Blobs, "delete", away)
        assert await scene.evidence.seal("room", REPORT)
    assert len(scene.objects) == 2
    assert (await scene.evidence.about(AT_THE_MACHINE, REPORT)).length_ms == 20_000
    for path in scene.objects:
        os.utime(path, (BEGIN.timestamp(), BEGIN.timestamp()))
    scene.now += timedelta(hours=2)
    await scene.evidence.sweep()
    assert len(scene.objects) == 1


async def test_two_reports_of_one_room_stand_each_for_itself(scene: Scene) -> None:
    await scene.sealed()
    assert await scene.evidence.seal("room", "other")
    await scene.evidence.let_go("other")
    assert len(scene.objects) == 1
    assert sound_of(await scene.hears()).size > 48_000


async def test_a_room_that_moved_is_put_together(scene: Scene) -> None:
    elsewhere = Media(scene.house, scene.keys, "media-process-1")
    await elsewhere.start()
    scene.media.says(4)
    elsewhere.now = scene.media.now
    elsewhere.says(4, "bob")
    assert await scene.evidence.seal("room", REPORT)
    about = await scene.evidence.about(AT_THE_MACHINE, REPORT)
    assert [(span.account, span.from_ms) for span in about.spans] == [("host", 0), ("bob", 4000)]


async def test_a_media_process_that_is_silent_keeps_nobody_from_sealing_the_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_TIMEOUT_S", 0.05)

    async def silent(_: Message) -> None: ...

    await scene.house.store.leases.beat("deaf", "here", 0.0)
    await scene.house.bus.subscribe(subjects.media("deaf", "evidence"), silent)
    await scene.house.store.leases.beat("absurd", "here", 0.0)

    async def absurd(message: Message) -> None:
        await message.respond(b'{"kind":"EvidencePart","segments":[[1,"?"]],"until":9}')

    await scene.house.bus.subscribe(subjects.media("absurd", "evidence"), absurd)
    await scene.house.services.projections.leases.look()
    await scene.sealed()


async def test_a_closed_report_lets_go_of_it_at_once(scene: Scene) -> None:
    await scene.sealed()
    ticket = await scene.evidence.listen(AT_THE_MACHINE, REPORT, "to judge")
    await scene.evidence.let_go(REPORT)
    with pytest.raises(NotFound):
        await scene.evidence.redeem(AT_THE_MACHINE, REPORT, ticket.token)
    assert await scene.is_gone()
    await scene.evidence.let_go(REPORT)
    await scene.evidence.let_go("unknown")


async def test_after_thirty_days_there_is_nothing_even_where_nobody_has_looked_yet(scene: Scene) -> None:
    await scene.sealed()
    scene.now += 30 * DAY - timedelta(milliseconds=1)
    await scene.evidence.look()
    assert len(await scene.hears()) > 10_000
    scene.now += timedelta(milliseconds=1)
    for ask in (scene.evidence.about(AT_THE_MACHINE, REPORT), scene.hears()):
        with pytest.raises(NotFound):
            await ask
    assert len(scene.objects) == 1
    await asyncio.gather(*(scene.another().look() for _ in range(3)))
    assert await scene.is_gone()


async def test_many_that_are_over_at_once_all_go(scene: Scene) -> None:
    scene.media.says(1)
    for number in range(45):
        assert await scene.evidence.seal("room", f"report_{number}")
    scene.now += 31 * DAY
    await scene.evidence.look()
    assert scene.objects == []


class Dying(Blobs):
    """A process that dies, or a storage that is away, before or after one of its calls."""

    def __init__(self, url: str, call: str, after: bool) -> None:
        super().__init__(url)
        self._call, self._after = call, after

    async def put(self, path: str, data: bytes) -> None:
        await self._do("put", super().put(path, data))

    async def delete(self, path: str) -> None:
        await self._do("delete", super().delete(path))

    async def _do(self, call: str, work: Any) -> None:
        if call == self._call and not self._after:
            work.close()
            raise BlobsUnavailable("away")
        await work
        if call == self._call:
            raise BlobsUnavailable("away")


@pytest.mark.parametrize("after", [False, True])
async def test_who_dies_while_sealing_leaves_nothing_for_long(scene: Scene, after: bool) -> None:
    scene.media.says(10)
    dying = scene.another(blobs=Dying((scene.folder / "blobs").as_uri(), "put", after))
    with pytest.raises(BlobsUnavailable):
        await dying.seal("room", REPORT)
    assert len(scene.objects) == int(after)
    assert await scene.evidence.seal("room", REPORT), "it can be tried again"
    for path in scene.objects:
        os.utime(path, (BEGIN.timestamp() - 3000, BEGIN.timestamp() - 3000))
    await scene.evidence.sweep()
    assert len(scene.objects) == 1 + int(after), "somebody may be writing its row now"
    scene.now += timedelta(minutes=11)
    await scene.evidence.sweep()
    assert len(scene.objects) == 1
    assert len(await scene.hears()) > 10_000


@pytest.mark.parametrize("after", [False, True])
async def test_who_dies_while_deleting_leaves_it_to_the_others(scene: Scene, after: bool) -> None:
    await scene.sealed()
    dying = scene.another(blobs=Dying((scene.folder / "blobs").as_uri(), "delete", after))
    scene.now += 30 * DAY
    await dying.look()
    assert await scene.house.store.evidence.of(REPORT) is not None
    await scene.evidence.look()
    assert await scene.house.store.evidence.of(REPORT) is not None, "it is the other one's for two minutes"
    scene.now += timedelta(minutes=2)
    await scene.evidence.look()
    assert await scene.is_gone()


async def test_one_object_that_cannot_be_deleted_keeps_no_other(scene: Scene) -> None:
    await scene.sealed()
    scene.now += timedelta(seconds=1)
    assert await scene.evidence.seal("room", "other")
    scene.now += 31 * DAY
    first = await scene.house.store.evidence.of(REPORT)
    assert first is not None

    class Stuck(Blobs):
        async def delete(self, path: str) -> None:
            if path == first.path:
                raise BlobsUnavailable("away")
            await super().delete(path)

    await scene.another(blobs=Stuck((scene.folder / "blobs").as_uri())).look()
    assert await scene.house.store.evidence.of(REPORT) is not None
    assert await scene.house.store.evidence.of("other") is None


async def test_nothing_outlives_its_report_nor_comes_after_it(scene: Scene) -> None:
    """Also where the process dies between closing the report and letting go."""
    scene.media.says(10)
    reports = scene.house.store.reports
    ids = []
    for handle in ("ada", "bob"):
        account = (await scene.house.caller(handle)).account_id or ""
        ids.append(
            (await reports.file(About(account, None), "lia", Reason.SPAM, "", None, scene.now)).report.id
        )
        assert await reports.take(ids[-1], "root", False)
    assert await scene.evidence.seal("room", ids[0])
    scene.now += timedelta(seconds=1)
    for id in ids:
        assert await reports.close(Deed("root", "dismiss", "report", id, "no"), "dismissed", scene.now)
    with pytest.raises(NotFound):
        await scene.evidence.about(AT_THE_MACHINE, ids[0])
    assert not await scene.evidence.seal("room", ids[1]), "it was asked for while the report was open"
    await scene.evidence.look()
    assert scene.objects == []


async def test_what_was_half_written_goes_too(scene: Scene) -> None:
    await scene.sealed()
    half = scene.objects[0].with_name("f" * 32 + "#1")
    half.write_bytes(b"half")
    os.utime(half, (BEGIN.timestamp(), BEGIN.timestamp()))
    await scene.evidence.sweep()
    assert half.exists(), "somebody may be writing it now"
    scene.now += timedelta(hours=1, seconds=1)
    os.utime(scene.objects[0], (BEGIN.timestamp(), BEGIN.timestamp()))
    await scene.evidence.sweep()
    assert not half.exists()
    assert len(scene.objects) == 1


async def test_letting_go_while_the_storage_is_away_is_made_good_later(scene: Scene) -> None:
    await scene.sealed()
    away = scene.another(blobs=Dying((scene.folder / "blobs").as_uri(), "delete", False))
    await away.let_go(REPORT)
    with pytest.raises(NotFound):
        await scene.hears()
    await scene.evidence.look()
    assert await scene.is_gone()


async def test_an_object_that_is_not_there_any_more_is_no_fault(scene: Scene) -> None:
    await scene.sealed()
    scene.objects[0].unlink()
    with pytest.raises(NotFound):
        await scene.hears()
    scene.now += 30 * DAY
    await scene.evidence.look()
    assert await scene.is_gone()


async def test_a_changed_byte_a_missing_end_or_another_room_is_refused(scene: Scene) -> None:
    await scene.sealed()
    (stored,) = scene.objects
    data = stored.read_bytes()
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    swapped = data[:7] + bytes([data[7] ^ 1]) + data[8:]
    for bad in (bytes(changed), data[:-1], swapped, data + b"more", bytes(2000)):
        stored.write_bytes(bad)
        with pytest.raises(Conflict) as refused:
            await scene.hears()
        assert refused.value.code in ("damaged", "key_elsewhere")
        assert (await scene.evidence.about(AT_THE_MACHINE, REPORT)).length_ms is None
    assert await scene.house.store.audit.after(0, 10) == [], "nobody heard anything"
    scene.media.says(4, room="elsewhere")
    assert await scene.evidence.seal("elsewhere", "other")
    theirs = next(path for path in scene.objects if path != stored)
    stored.write_bytes(theirs.read_bytes())
    with pytest.raises(Conflict):
        await scene.hears()


async def test_without_its_key_it_stays_shut(scene: Scene, tmp_path: Path) -> None:
    await scene.sealed()
    (tmp_path / "other").mkdir()
    strange = EvidenceKeys(new_key(bytes(32)), tmp_path / "other" / "evidence.key")
    for keys in (
        strange,
        EvidenceKeys(str(scene.keys.public()), tmp_path / "none"),
        EvidenceKeys("", tmp_path / "none"),
    ):
        with pytest.raises(Conflict) as refused:
            await scene.hears(scene.another(keys))
        assert refused.value.code == "key_elsewhere"
        assert (await scene.another(keys).about(AT_THE_MACHINE, REPORT)).length_ms is None


async def test_a_new_key_seals_and_the_old_one_still_opens(scene: Scene) -> None:
    await scene.sealed()
    before = scene.keys.public().id
    assert scene.keys.rotate() == scene.keys.public().id != before
    assert len(await scene.hears()) > 10_000
    assert (scene.folder / "evidence.key").stat().st_mode & 0o777 == 0o600
    after = Media(scene.house, scene.keys, "media-process-2")
    await after.start()
    after.says(4, room="later")
    assert await scene.evidence.seal("later", "other")
    assert (await scene.evidence.about(AT_THE_MACHINE, "other")).length_ms == 4000
    old = EvidenceKeys((scene.folder / "evidence.key").read_text().split()[-1], tmp_none(scene))
    with pytest.raises(Conflict):
        await scene.another(old).listen(AT_THE_MACHINE, "other", "to judge")


def tmp_none(scene: Scene) -> Path:
    return scene.folder / "none"


def test_a_first_key_is_made_once_and_never_over_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "data" / "evidence.key"
    for _ in range(2):
        EvidenceKeys("", file).make()
    public = EvidenceKeys("", file).public()
    EvidenceKeys("", file).make()
    assert EvidenceKeys("", file).public().id == public.id
    assert [path.name for path in file.parent.iterdir()] == ["evidence.key"]
    given = tmp_path / "given"
    EvidenceKeys(str(given), file).make()
    assert not given.exists(), "what is somebody's to give is not made"


def test_keys_come_from_a_value_or_a_path_and_a_file_for_all_to_read_is_refused(tmp_path: Path) -> None:
    text = new_key(bytes(range(32)))
    wanted = PrivateKeys.parse(text).public.id
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o600)
    for said in (text, f" {text},{new_key(bytes(32))}", str(file)):
        assert EvidenceKeys(said, tmp_path / "none").public().id == wanted
    public = str(PrivateKeys.parse(text).public)
    assert EvidenceKeys(public, tmp_path / "none").public().id == wanted
    with pytest.raises(HpkeError):
        EvidenceKeys(public, tmp_path / "none").private()
    with pytest.raises(HpkeError):
        EvidenceKeys(text, tmp_path / "none").rotate()
    file.chmod(0o644)
    with pytest.raises(HpkeError, match="chmod"):
        EvidenceKeys(str(file), tmp_path / "none").private()
    assert issubclass(UnknownKey, HpkeError)
