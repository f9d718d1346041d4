"""Speech through the whole house, spoken and heard by aiortc: an independent opinion on every byte of ours."""

from __future__ import annotations

import asyncio

import pytest

from parola.client.api import ProtocolError
from parola.client.webrtc import RATE, Clip, Pcm, listening, speaking
from tests.e2e.conftest import as_float
from tests.e2e.hearing import intelligibility, tone, tone_amplitude, tone_level, trace
from tests.e2e.house import House, eventually, give_floor, handle_of, people

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

SILENT = 40
"""Amplitude (of 32,768) below which a tone counts as absent: −58 dB."""


async def test_speech_of_the_host_is_heard_by_a_guest(house: House, english: Pcm) -> None:
    async with people(house, "ada", "guest") as (ada, guest):
        room = await ada.call("POST", "/api/rooms", {"title": "One voice"})
        guest.token = None
        clip = Clip(silence(0.5))
        async with listening(guest, room["id"]) as ear, speaking(ada, room["id"], clip):
            clip.play(english)
            await clip.over.wait()
            await asyncio.sleep(0.6)
            assert intelligibility(as_float(english), as_float(ear.heard)) >= 0.95


async def test_two_voices_are_mixed_and_nobody_hears_their_own(house: House) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Two voices"})
        await give_floor(ada, bob, room["id"])
        ada_tone, bob_tone = Clip(tone(440, 6)), Clip(tone(1000, 6))
        async with (
            listening(ada, room["id"]) as ada_ear,
            listening(bob, room["id"]) as bob_ear,
            listening(ada, room["id"]) as second_ear,
            speaking(ada, room["id"], ada_tone),
            speaking(bob, room["id"], bob_tone),
        ):
            async with people(house, "carla") as (carla,), listening(carla, room["id"]) as audience:
                await asyncio.sleep(1.5)
                for ear in (ada_ear, bob_ear, second_ear, audience):
                    ear.forget()
                await asyncio.sleep(2)
                assert tone_level(audience.heard, 440) > 0.2
                assert tone_level(audience.heard, 1000) > 0.2
                for own in (ada_ear, second_ear):
                    assert tone_level(own.heard, 1000) > 0.9
                    assert tone_amplitude(own.heard, 440) < SILENT
                assert tone_level(bob_ear.heard, 440) > 0.9
                assert tone_amplitude(bob_ear.heard, 1000) < SILENT


async def test_without_the_floor_nobody_speaks(house: House) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "The floor is law"})
        with pytest.raises(ProtocolError) as refused:
            async with speaking(bob, room["id"], Clip(tone(440, 1))):
                pass
        assert (refused.value.status, refused.value.code) == (403, "floor_required")


async def test_no_sound_of_a_voice_after_its_revocation_was_answered(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Revoked while talking"})
        handle = await give_floor(ada, bob, room["id"])
        async with listening(carla, room["id"]) as ear, speaking(bob, room["id"], Clip(tone(700, 30))):
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)
            answer = await ada.call("DELETE", f"/api/rooms/{room['id']}/floor/{handle}")
            assert answer == {"silent": True}
            await asyncio.sleep(
                0.3
            )  # what was sent before the answer is played from the receiver's own buffer
            ear.forget()
            await asyncio.sleep(1)
            assert tone_amplitude(ear.heard, 700) < SILENT
        with pytest.raises(ProtocolError) as refused:
            async with speaking(bob, room["id"], Clip(tone(700, 1))):
                pass
        assert refused.value.code == "floor_required"


async def test_mute_silences_and_unmute_gives_back(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Muted"})
        handle = await give_floor(ada, bob, room["id"])
        path = f"/api/rooms/{room['id']}/mutes/{handle}"
        async with listening(carla, room["id"]) as ear, speaking(bob, room["id"], Clip(tone(700, 60))):
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)
            await ada.call("PUT", path)
            await asyncio.sleep(0.3)
            ear.forget()
            await asyncio.sleep(1)
            assert tone_amplitude(ear.heard, 700) < SILENT
            with pytest.raises(ProtocolError):
                await ada.call("DELETE", path)
            await bob.call("DELETE", path)
            await eventually(lambda: tone_level(ear.heard[-RATE // 2 :], 700) > 0.8)


async def test_a_removed_person_neither_speaks_nor_hears(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Removed"})
        handle = await give_floor(ada, bob, room["id"])
        async with (
            listening(carla, room["id"]) as ear,
            listening(bob, room["id"]) as bob_ear,
            speaking(bob, room["id"], Clip(tone(700, 60))),
            speaking(ada, room["id"], Clip(tone(440, 60))),
        ):
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.2)
            await eventually(lambda: tone_level(bob_ear.heard[-RATE:], 440) > 0.8)
            await ada.call("PUT", f"/api/rooms/{room['id']}/removed/{handle}")
            await asyncio.sleep(0.3)
            ear.forget()
            bob_ear.forget()
            await asyncio.sleep(1)
            assert tone_amplitude(ear.heard, 700) < SILENT
            assert tone_level(ear.heard, 440) > 0.9
            assert tone_amplitude(bob_ear.heard, 440) < SILENT
        for method, path, body in (
            ("GET", f"/api/rooms/{room['id']}", None),
            ("PUT", f"/api/rooms/{room['id']}/hands/me", None),
        ):
            with pytest.raises(ProtocolError) as refused:
                await bob.call(method, path, body)
            assert (refused.value.status, refused.value.code) == (403, "removed")
        with pytest.raises(ProtocolError) as refused:
            async with listening(bob, room["id"]):
                pass
        assert refused.value.code == "removed"


async def test_an_offer_needs_its_yes(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Offered"})
        floor = f"/api/rooms/{room['id']}/floor"
        assert await ada.call("PUT", f"{floor}/{await handle_of(bob)}") == {"state": "offered"}
        with pytest.raises(ProtocolError):
            async with speaking(bob, room["id"], Clip(tone(700, 1))):
                pass
        await bob.call("POST", f"{floor}/accept")
        async with listening(carla, room["id"]) as ear, speaking(bob, room["id"], Clip(tone(700, 20))):
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)


async def test_italian_speech_of_a_guest_on_stage(house: House, italian: Pcm, english: Pcm) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Parola"})
        await give_floor(ada, bob, room["id"])
        clip = Clip(silence(0.5))
        async with (
            listening(carla, room["id"]) as ear,
            listening(bob, room["id"]) as own_ear,
            speaking(bob, room["id"], clip),
        ):
            clip.play(italian)
            await clip.over.wait()
            await asyncio.sleep(0.6)
            assert intelligibility(as_float(italian), as_float(ear.heard)) >= 0.95
            assert trace(as_float(italian), as_float(own_ear.heard)) < 0.2


async def test_the_end_of_a_room_silences_it(house: House) -> None:
    async with people(house, "ada", "carla") as (ada, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "The end"})
        async with listening(carla, room["id"]) as ear, speaking(ada, room["id"], Clip(tone(700, 60))):
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)
            await ada.call("POST", f"/api/rooms/{room['id']}/end")
            await asyncio.sleep(0.3)
            ear.forget()
            await asyncio.sleep(0.7)
            assert tone_amplitude(ear.heard, 700) < SILENT
        with pytest.raises(ProtocolError) as refused:
            async with listening(carla, room["id"]):
                pass
        assert (refused.value.status, refused.value.code) == (409, "not_live")


def silence(seconds: float) -> Pcm:
    return tone(100, seconds) * 0
