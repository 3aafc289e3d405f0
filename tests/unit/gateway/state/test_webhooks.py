"""Which webhook calls are due, on both databases: in order within a job, no job or tenant in another's way."""

from datetime import datetime, timedelta

from sqlalchemy import select

from packshot.v1 import jobs_pb2
from services.gateway.state import events, webhooks
from services.gateway.state.database import Database
from services.gateway.state.events import EventDraft
from services.gateway.state.tables import Job, JobState, WebhookDelivery
from services.gateway.state.webhooks import Claimed
from tests.helpers.state import NOW, make_job, new_job

URL = "https://shop.example/hook"
CLAIM_S = 30.0


async def job_with_calls(database: Database, count: int, tenant: str = "acme", now: datetime = NOW) -> Job:
    """A job with that many waiting calls."""
    job = await make_job(database, new_job(tenant=tenant, webhook_url=URL, state=JobState.OPEN))
    drafts = [EventDraft(jobs_pb2.JOB_EVENT_TYPE_COMPLETED)] * count
    async with database.begin() as session:
        row = (await session.scalars(select(Job).where(Job.id == job.id).with_for_update())).one()
        await events.append(session, row, drafts, now)
    return job


async def claim(database: Database, now: datetime = NOW, count: int = 10, most: int = 10, **busy: int) -> list[Claimed]:
    return await database.write(lambda session: webhooks.claim_due(session, now, CLAIM_S, count, most, busy))


async def rows(database: Database, job: Job) -> list[WebhookDelivery]:
    async with database.read() as session:
        query = select(WebhookDelivery).where(WebhookDelivery.job_id == job.id).order_by(WebhookDelivery.sequence)
        return list(await session.scalars(query))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


async def test_only_the_first_of_a_job_is_claimed(database: Database) -> None:
    job = await job_with_calls(database, 3)
    (call,) = await claim(database)
    first = (await rows(database, job))[0]
    assert (call.delivery_id, call.job_id, call.sequence) == (first.id, job.id, first.sequence)
    assert (call.url, call.attempts, call.tenant) == (URL, 1, "acme")
    assert call.event.sequence == first.sequence
    assert call.secret.startswith("whsec_")
    assert call.secret not in repr(call)
    assert not await claim(database)


async def test_a_claim_that_is_not_heard_of_again_runs_out(database: Database) -> None:
    await job_with_calls(database, 2)
    (lost,) = await claim(database)
    assert not await claim(database, later(CLAIM_S - 1))
    (again,) = await claim(database, later(CLAIM_S))
    assert (again.delivery_id, again.attempts) == (lost.delivery_id, 2)
    # What the first claimant reports now is not taken.
    assert await database.write(lambda session: webhooks.delivered(session, lost, "200", later(31), CLAIM_S)) is None
    assert not await claim(database, later(31))


async def test_after_a_call_its_job_s_next_one_is_due(database: Database) -> None:
    job = await job_with_calls(database, 2)
    (call,) = await claim(database)
    following = await database.write(lambda session: webhooks.delivered(session, call, "200", later(1), CLAIM_S))
    assert following is not None
    assert following.sequence == call.sequence + 1
    assert await database.write(lambda session: webhooks.delivered(session, following, "200", later(2))) is None
    assert [(row.state, row.last_outcome) for row in await rows(database, job)] == [("delivered", "200")] * 2


async def test_a_failed_call_holds_up_its_own_job_only(database: Database) -> None:
    failing = await job_with_calls(database, 2)
    other = await job_with_calls(database, 2)
    calls = {call.job_id: call for call in await claim(database)}
    failed, made = calls[failing.id], calls[other.id]
    await database.write(lambda session: webhooks.failed(session, failed, "500", later(60)))
    await database.write(lambda session: webhooks.delivered(session, made, "200", NOW))
    assert [call.job_id for call in await claim(database, later(40))] == [other.id]
    again = [call for call in await claim(database, later(60)) if call.job_id == failing.id]
    assert [(call.delivery_id, call.attempts) for call in again] == [(failed.delivery_id, 2)]


async def test_after_giving_up_the_next_one_is_due(database: Database) -> None:
    job = await job_with_calls(database, 2)
    (call,) = await claim(database)
    await database.write(lambda session: webhooks.give_up(session, call, "500", NOW))
    (following,) = await claim(database)
    assert following.sequence == call.sequence + 1
    assert [row.state for row in await rows(database, job)] == ["given-up", "waiting"]


async def test_a_receiver_that_is_gone_gets_no_more_of_the_job(database: Database) -> None:
    job = await job_with_calls(database, 3)
    (call,) = await claim(database)
    await database.write(lambda session: webhooks.give_up(session, call, "410", NOW, whole_job=True))
    assert {(row.state, row.last_outcome) for row in await rows(database, job)} == {("given-up", "410")}


async def test_jobs_take_turns(database: Database) -> None:
    jobs = [await job_with_calls(database, 2) for _ in range(3)]
    served = []
    for second in range(1, 7):
        (call,) = await claim(database, later(second), count=1)
        async with database.begin() as session:
            await webhooks.delivered(session, call, "200", later(second))
        served.append(call.job_id)
    assert set(served[:3]) == set(served[3:]) == {job.id for job in jobs}


async def test_a_tenant_gets_no_more_than_its_part(database: Database) -> None:
    for _ in range(4):
        await job_with_calls(database, 1, "acme", NOW - timedelta(hours=1))
    await job_with_calls(database, 1, "bolt")
    assert sorted(call.tenant for call in await claim(database, most=3, acme=1)) == ["acme", "acme", "bolt"]


async def test_calls_that_ended_are_forgotten_in_time_and_waiting_ones_never(database: Database) -> None:
    made, gone, waiting = [await job_with_calls(database, 2) for _ in range(3)]
    for call in await claim(database):
        async with database.begin() as session:
            if call.job_id == made.id:
                await webhooks.delivered(session, call, "200", NOW)
            elif call.job_id == gone.id:
                await webhooks.give_up(session, call, "410", NOW, whole_job=True)

    async def forget(before: datetime, limit: int = 100) -> int:
        return await database.write(lambda session: webhooks.forget_ended(session, before, limit))

    assert await forget(NOW) == 0
    assert [await forget(later(3600), limit=2) for _ in range(3)] == [2, 1, 0]
    assert [len(await rows(database, job)) for job in (made, gone, waiting)] == [1, 0, 2]
    assert {row.state for job in (made, waiting) for row in await rows(database, job)} == {"waiting"}
