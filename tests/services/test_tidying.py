"""What is taken up beside the calls, where one of them broke off."""

from __future__ import annotations

from pathlib import Path

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
