from datetime import timedelta

import pytest

from services.gateway.state import dead_letters, jobs, proto, work
from services.gateway.state.database import Database
from services.gateway.state.errors import NotFoundError
from services.gateway.state.tables import Job, JobState
from tests.helpers.state import NOW, TENANT, claim_next, make_job, new_items


async def with_dead_items(database: Database, count: int) -> tuple[Job, list[str]]:
    """A job whose items were all given up, and the ids of their dead letters, newest first."""
    job = await make_job(database, items=new_items(count))
    for number in range(count):
        claimed = await claim_next(database, job)
        died_at = NOW + timedelta(seconds=number)
        await database.write(lambda s, c=claimed, t=died_at: work.fail(s, c, "STAGE_BROKE", "broke", t, dead=True))  # type: ignore[misc]
    async with database.read() as session:
        letters = await dead_letters.list_dead_letters(session, TENANT, job_id=job.id, limit=100)
    return job, [letter.dead_letter.id for letter in letters]


async def test_they_come_newest_first_in_pages(database: Database) -> None:
    _, ids = await with_dead_items(database, 3)
    async with database.read() as session:
        first = await dead_letters.list_dead_letters(session, TENANT, limit=2)
        last = first[-1].dead_letter
        rest = await dead_letters.list_dead_letters(session, TENANT, after=(last.died_at, last.id), limit=2)
    assert [letter.dead_letter.id for letter in first + rest] == ids
    assert [letter.item.key for letter in first + rest] == ["item-00002", "item-00001", "item-00000"]
    message = proto.dead_letter_message(first[0].dead_letter, first[0].item)
    assert (message.dead_letter_id, message.item.item_key, message.attempts) == (ids[0], "item-00002", 1)


async def test_requeued_they_have_all_attempts_before_them(database: Database) -> None:
    job, ids = await with_dead_items(database, 3)
    for expected in (1, 0):
        assert await database.write(lambda s: dead_letters.requeue(s, TENANT, ids[:1], NOW)) == expected
    async with database.read() as session:
        item = (await jobs.get_item(session, TENANT, job.id, "item-00002")).item
        running = await jobs.get_job(session, TENANT, job.id)
    assert (item.attempts, item.error_reason) == (0, "")
    assert (running.state, running.failed) == (JobState.RUNNING, 2)
    assert await database.write(lambda s: dead_letters.requeue(s, TENANT, [], NOW)) == 2
    async with database.read() as session:
        assert await dead_letters.list_dead_letters(session, TENANT, limit=10) == []


async def test_those_retried_with_their_job_are_gone(database: Database) -> None:
    job, _ = await with_dead_items(database, 2)
    await database.write(lambda s: jobs.retry_items(s, TENANT, job.id, ["item-00001"], NOW))
    async with database.read() as session:
        (letter,) = await dead_letters.list_dead_letters(session, TENANT, limit=10)
    assert letter.item.key == "item-00000"


async def test_another_tenants_are_not_there(database: Database) -> None:
    job, ids = await with_dead_items(database, 1)
    async with database.read() as session:
        assert await dead_letters.list_dead_letters(session, "other", limit=10) == []
        with pytest.raises(NotFoundError):
            await dead_letters.list_dead_letters(session, "other", job_id=job.id, limit=10)
    with pytest.raises(NotFoundError):
        await database.write(lambda s: dead_letters.requeue(s, "other", ids, NOW))
    assert await database.write(lambda s: dead_letters.requeue(s, "other", [], NOW)) == 0
