from collections.abc import AsyncIterator

import pytest

from packshot.client import AsyncPackshotClient, JobPhoto, PackshotError
from packshot.v1 import jobs_pb2 as pb
from packshot.v1.reviews_pb2 import REVIEW_STATE_APPROVED, REVIEW_STATE_REDONE, REVIEW_STATE_REJECTED
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs

PHOTOS = [JobPhoto(key, key.encode(), sku=key.upper()) for key in ("mug", "cup", "pot")]


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
async def client(gateway: ScriptedJobs) -> AsyncIterator[AsyncPackshotClient]:
    with serving_jobs(gateway) as address:
        async with AsyncPackshotClient(address, timeout_s=20) as client:
            yield client


async def test_a_job_from_upload_to_files(client: AsyncPackshotClient, gateway: ScriptedJobs) -> None:
    gateway.break_upload_after = gateway.break_watch_after = 2
    job = await client.jobs.create(uploads=PHOTOS)
    assert [event.sequence async for event in client.jobs.watch(job.job_id)] == [1, 2, 3, 4, 5]
    items = [item async for item in client.jobs.items(job.job_id)]
    files = [await client.jobs.download(job.job_id, item.item_key, item.files[0]) for item in items]
    assert files == [b"packshot of mug", b"packshot of cup", b"packshot of pot"]
    assert gateway.uploads == ["mug", "cup", "pot"]
    assert b"".join([chunk async for chunk in client.jobs.results(job.job_id)]).endswith(b"MUG\nCUP\nPOT\n")


async def test_what_can_be_done_about_jobs(client: AsyncPackshotClient, gateway: ScriptedJobs) -> None:
    gateway.held = True
    job = await client.jobs.create(catalogue=b"sku,image_url\nmug,\ncup,\n")
    assert (await client.jobs.cancel(job.job_id)).counts.cancelled == 2
    assert (await client.jobs.retry(job.job_id)).retried == 2
    assert (await client.jobs.get(job.job_id)).state == pb.JOB_STATE_COMPLETED
    assert [job.job_id async for job in client.jobs.list(states=["completed"])] == [job.job_id]
    gateway.dead_letters = [pb.DeadLetter(dead_letter_id="dl_0")]
    assert [letter.dead_letter_id async for letter in client.jobs.dead_letters()] == ["dl_0"]
    assert await client.jobs.requeue_dead_letters() == 1


async def test_reviews(client: AsyncPackshotClient) -> None:
    await client.jobs.create(catalogue=b"sku,image_url\nodd-mug,\nodd-cup,\nodd-pot,\n")
    mug, cup, pot = [review.review_id async for review in client.reviews.list()]
    assert (await client.reviews.approve(mug)).state == REVIEW_STATE_APPROVED
    assert (await client.reviews.reject(cup)).state == REVIEW_STATE_REJECTED
    assert (await client.reviews.redo(pot, include=[(1, 2)])).state == REVIEW_STATE_REDONE
    assert (await client.reviews.get(pot)).item.sku == "odd-pot"


async def test_errors_are_typed(client: AsyncPackshotClient) -> None:
    with pytest.raises(PackshotError):
        await client.jobs.get("job_" + "0" * 32)
