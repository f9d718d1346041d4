"""Which media processes live, and how full they are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from parola.store.database import Database
from parola.store.tables import leases, rooms


@dataclass(frozen=True, slots=True)
class Lease:
    """`beat` counts upward for as long as the process lives; `load` is 0..1 and more: from 1 on it takes nobody new."""

    process_id: str
    machine: str
    beat: int
    load: float

    @property
    def is_full(self) -> bool:
        return self.load >= 1.0


class Leases:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, process_id: str, machine: str, load: float) -> None:
        mine = leases.c.process_id == process_id
        async with self._database.write() as connection:
            values = {"beat": leases.c.beat + 1, "load": load}
            result = await connection.execute(update(leases).where(mine).values(values))
            if not result.rowcount:
                await connection.execute(
                    insert(leases).values(process_id=process_id, machine=machine, beat=1, load=load)
                )

    async def touch(self, process_id: str) -> None:
        """A lease that begins and ends in one transaction, so that nobody ever sees it."""
        async with self._database.write() as connection:
            values = {"process_id": process_id, "machine": "", "beat": 0, "load": 0.0}
            await connection.execute(insert(leases).values(**values))
            await connection.execute(delete(leases).where(leases.c.process_id == process_id))

    async def all(self) -> list[Lease]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(leases))
            return [Lease(row.process_id, row.machine, row.beat, row.load) for row in rows]

    async def release(self, process_id: str) -> None:
        """Ends a lease, and the ownership of its rooms; their epochs stay, so that nobody takes an old one up again."""
        async with self._database.write() as connection:
            await connection.execute(delete(leases).where(leases.c.process_id == process_id))
            await connection.execute(update(rooms).where(rooms.c.owner == process_id).values(owner=None))

    async def release_machine(self, machine: str) -> None:
        """Ends all leases of a machine: none of its processes can still live when it starts."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(leases.c.process_id).where(leases.c.machine == machine))
            gone = [row.process_id for row in rows]
        for process_id in gone:
            await self.release(process_id)
