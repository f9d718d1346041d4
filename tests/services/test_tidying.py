"""What is taken up beside the calls, where one of them broke off."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from parola.domain.moments import milliseconds
from parola.services import clock
from parola.store import tables
from tests.services.house import opened


async def test_who_asked_to_follow_at_the_moment_in_which_an_account_opened_follows_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as house:
        ada, bob = [str((await house.caller(handle)).account_id) for handle in ("ada", "bob")]
        await house.store.relations.request(bob, ada, 1)
        house.services.tidying._forget_at = 0.0
        await house.services.tidying.tidy()
        assert await house.store.relations.follows(bob, ada)


async def test_an_address_is_forgotten_some_time_after_its_turn_and_not_while_it_waits(
    tmp_path: Path,
) -> None:
    day = 86_400_000
    async with opened(tmp_path) as house:
        waitlist = house.store.waitlist
        for name in ("approved", "waiting"):
            await waitlist.join(f"{name}@rooms.example", None, "en", name, 1)
        now = milliseconds(clock.now())
        for approved_at, left in ((now - 29 * day, 0), (now - 31 * day, None)):
            async with house.store.relations._database.write() as connection:
                theirs = tables.waitlist.c.token_hash == "approved"
                await connection.execute(
                    update(tables.waitlist).where(theirs).values(approved_at=approved_at)
                )
            house.services.tidying._forget_at = 0.0
            await house.services.tidying.tidy()
            assert await waitlist.position("approved") == left
        assert await waitlist.position("waiting") == 1
