import asyncio
from datetime import timedelta

from services.gateway.state import leases
from services.gateway.state.database import Database
from tests.helpers.state import NOW


async def test_one_owner_at_a_time_until_it_stops_renewing(database: Database) -> None:
    async def hold(owner: str, seconds_later: float, task: str = "dispatch") -> bool:
        now = NOW + timedelta(seconds=seconds_later)
        return await database.write(lambda s: leases.hold(s, task, owner, now, 10))

    assert await hold("one", 0)
    assert not await hold("two", 9)
    assert await hold("one", 9)
    assert not await hold("two", 18)
    assert await hold("two", 19)
    assert not await hold("one", 20)
    assert await hold("one", 20, "sweep")


async def test_a_task_given_up_is_free(database: Database) -> None:
    await database.write(lambda s: leases.hold(s, "dispatch", "one", NOW, 10))
    await database.write(lambda s: leases.release(s, "dispatch", "two"))
    assert not await database.write(lambda s: leases.hold(s, "dispatch", "two", NOW, 10))
    await database.write(lambda s: leases.release(s, "dispatch", "one"))
    assert await database.write(lambda s: leases.hold(s, "dispatch", "two", NOW, 10))


async def test_of_many_at_once_one_gets_it(database_url: str) -> None:
    replicas = [Database(database_url) for _ in range(5)]
    held = await asyncio.gather(
        *(
            replica.write(lambda s, o=str(number): leases.hold(s, "dispatch", o, NOW, 10))  # type: ignore[misc]
            for number, replica in enumerate(replicas)
        )
    )
    assert sum(held) == 1
    await asyncio.gather(*(replica.close() for replica in replicas))
