import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from packshot.v1.jobs_pb2 import (
    JOB_ITEM_STATE_CANCELLED,
    JOB_ITEM_STATE_FAILED,
    JOB_ITEM_STATE_QUEUED,
    JOB_ITEM_STATE_RUNNING,
    JOB_ITEM_STATE_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_COMPLETED,
    JOB_STATE_RUNNING,
    RESULTS_FORMAT_CSV,
    RESULTS_FORMAT_JSON_LINES,
    CancelJobRequest,
    CreateJobRequest,
    DownloadJobFileRequest,
    GetJobRequest,
    GetJobResultsRequest,
    ListDeadLettersRequest,
    ListJobItemsRequest,
    ListJobsRequest,
    RequeueDeadLettersRequest,
    RetryJobItemsRequest,
    UploadJobItemsRequest,
    WatchJobRequest,
)
from packshot.v1.jobs_pb2_grpc import JobServiceStub
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_TRANSPARENT_PNG
from packshot.v1.reviews_pb2 import REVIEW_STATE_APPROVED, DecideReviewRequest, GetReviewRequest, ListReviewsRequest
from packshot.v1.reviews_pb2_grpc import ReviewServiceStub
from services.gateway.objects import digest_of
from tests.helpers.gateway import failure, running_gateway
from tests.helpers.job_service import MARKETPLACE, Jobs, upload
from tests.helpers.stages import Stages

NOBODYS_JOB = f"job_{'0' * 32}"


def on_disk(url: str) -> Path:
    return Path(url.removeprefix("file://"))


async def received(call: Any) -> bytes:
    return b"".join([response.data async for response in call])


class TestLists:
    async def test_jobs_newest_first_page_by_page(self, jobs: Jobs) -> None:
        made = [(await jobs.create("a", label=str(number))).job_id for number in range(5)]
        found, token = [], ""
        while True:
            page = await jobs.jobs.ListJobs(ListJobsRequest(page_size=2, page_token=token))
            found += [job.job_id for job in page.jobs]
            assert len(page.jobs) <= 2
            if not (token := page.next_page_token):
                break
        assert found == made[::-1]

    async def test_jobs_by_state(self, jobs: Jobs) -> None:
        running, done = await jobs.create("a"), await jobs.create("a")
        await jobs.fail(done.job_id)
        for state, job in ((JOB_STATE_RUNNING, running), (JOB_STATE_COMPLETED, done)):
            page = await jobs.jobs.ListJobs(ListJobsRequest(states=[state]))
            assert [found.job_id for found in page.jobs] == [job.job_id]

    async def test_items_in_the_catalogues_order_page_by_page(self, jobs: Jobs) -> None:
        keys = ["z", "a", "m", "b", "y"]
        job = await jobs.create(*keys)
        found, request = [], ListJobItemsRequest(job_id=job.job_id, page_size=2)
        while True:
            page = await jobs.jobs.ListJobItems(request)
            found += [item.item_key for item in page.items]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert found == keys

    async def test_items_by_state(self, jobs: Jobs) -> None:
        job = await jobs.create("a", "b", "c", "d")
        await jobs.succeed(job.job_id)
        await jobs.fail(job.job_id)
        await jobs.claim(job.job_id)
        for state, key in (
            (JOB_ITEM_STATE_SUCCEEDED, "a"),
            (JOB_ITEM_STATE_FAILED, "b"),
            (JOB_ITEM_STATE_RUNNING, "c"),
            (JOB_ITEM_STATE_QUEUED, "d"),
        ):
            page = await jobs.jobs.ListJobItems(ListJobItemsRequest(job_id=job.job_id, states=[state]))
            assert [item.item_key for item in page.items] == [key]

    @pytest.mark.parametrize("token", ["nonsense!", "bm9uc2Vuc2U", "e30", "W10", "WzFd"])
    async def test_a_token_that_was_never_given(self, jobs: Jobs, token: str) -> None:
        for call in (
            jobs.jobs.ListJobs(ListJobsRequest(page_token=token)),
            jobs.jobs.ListJobItems(ListJobItemsRequest(job_id=NOBODYS_JOB, page_token=token)),
            jobs.jobs.ListDeadLetters(ListDeadLettersRequest(page_token=token)),
        ):
            error = await failure(call)
            assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_UNKNOWN")

    async def test_a_token_of_another_list(self, jobs: Jobs) -> None:
        first, second = await jobs.create("a", "b"), await jobs.create("a", "b")
        page = await jobs.jobs.ListJobItems(ListJobItemsRequest(job_id=first.job_id, page_size=1))
        error = await failure(
            jobs.jobs.ListJobItems(ListJobItemsRequest(job_id=second.job_id, page_token=page.next_page_token))
        )
        assert (error.reason, error.violations[0].field) == ("PAGE_TOKEN_OF_ANOTHER_LIST", "page_token")


class TestCancelAndRetry:
    async def test_cancelling_ends_what_was_not_begun(self, jobs: Jobs) -> None:
        job = await jobs.create("a", "b", "c")
        await jobs.succeed(job.job_id)
        for _ in range(2):
            cancelled = (await jobs.jobs.CancelJob(CancelJobRequest(job_id=job.job_id))).job
            assert cancelled.state == JOB_STATE_CANCELLED
            assert (cancelled.counts.succeeded, cancelled.counts.cancelled) == (1, 2)
        states = [item.state for item in await jobs.items(job.job_id)]
        assert states == [JOB_ITEM_STATE_SUCCEEDED, JOB_ITEM_STATE_CANCELLED, JOB_ITEM_STATE_CANCELLED]

    async def test_failed_and_cancelled_items_are_queued_again(self, jobs: Jobs) -> None:
        job = await jobs.create("a", "b", "c")
        await jobs.succeed(job.job_id)
        await jobs.fail(job.job_id)
        await jobs.jobs.CancelJob(CancelJobRequest(job_id=job.job_id))
        response = await jobs.jobs.RetryJobItems(RetryJobItemsRequest(job_id=job.job_id, item_keys=["b"]))
        assert (response.retried, response.job.state) == (1, JOB_STATE_RUNNING)
        assert [item.state for item in await jobs.items(job.job_id)] == [
            JOB_ITEM_STATE_SUCCEEDED,
            JOB_ITEM_STATE_QUEUED,
            JOB_ITEM_STATE_CANCELLED,
        ]
        assert (await jobs.jobs.RetryJobItems(RetryJobItemsRequest(job_id=job.job_id))).retried == 1

    async def test_an_item_that_is_not_there(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        for key in ("z", "a\0", "ä"):
            error = await failure(jobs.jobs.RetryJobItems(RetryJobItemsRequest(job_id=job.job_id, item_keys=[key])))
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "ITEM_NOT_FOUND")


class TestResults:
    async def test_as_csv_and_as_json_lines(self, jobs: Jobs) -> None:
        job = await jobs.create("a", "b")
        await jobs.succeed(job.job_id)
        await jobs.fail(job.job_id)
        csv = await received(jobs.jobs.GetJobResults(GetJobResultsRequest(job_id=job.job_id)))
        explicit = GetJobResultsRequest(job_id=job.job_id, format=RESULTS_FORMAT_CSV)
        assert csv == await received(jobs.jobs.GetJobResults(explicit))
        assert len(csv.decode("utf-8-sig").splitlines()) == 3
        lines = GetJobResultsRequest(job_id=job.job_id, format=RESULTS_FORMAT_JSON_LINES)
        made, failed = map(json.loads, (await received(jobs.jobs.GetJobResults(lines))).splitlines())
        assert (made["status"], made["verdict"], made["price_tier"], made["credits"]) == (
            "succeeded",
            "publish",
            "standard",
            1,
        )
        assert made["results"][0]["files"][0]["url"].startswith("file://")
        assert (failed["status"], failed["error_reason"]) == ("failed", "PHOTO_TRUNCATED")

    async def test_of_more_items_than_a_page(self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("services.gateway.jobs.service._RESULTS_PAGE", 2)
        job = await jobs.create(*"abcde")
        lines = GetJobResultsRequest(job_id=job.job_id, format=RESULTS_FORMAT_JSON_LINES)
        rows = [json.loads(line) for line in (await received(jobs.jobs.GetJobResults(lines))).splitlines()]
        assert [row["item_key"] for row in rows] == list("abcde")


class TestFiles:
    async def test_are_listed_and_downloaded(self, jobs: Jobs) -> None:
        content = bytes(range(256)) * 4000
        job = await jobs.create("a")
        await jobs.succeed(job.job_id, content=content)
        (item,) = await jobs.items(job.job_id)
        (file,) = item.files
        assert (file.marketplace, file.output, file.size_bytes) == (MARKETPLACE, OUTPUT_JPEG, len(content))
        assert file.digest == f"sha256:{digest_of(content)}"
        assert on_disk(file.url).read_bytes() == content
        wanted = DownloadJobFileRequest(job_id=job.job_id, item_key="a", marketplace=MARKETPLACE, output=OUTPUT_JPEG)
        assert await received(jobs.jobs.DownloadJobFile(wanted)) == content

    async def test_that_were_not_made(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        await jobs.succeed(job.job_id)
        for key, output, reason in (
            ("a", OUTPUT_TRANSPARENT_PNG, "FILE_NOT_FOUND"),
            ("z", OUTPUT_JPEG, "ITEM_NOT_FOUND"),
        ):
            wanted = DownloadJobFileRequest(job_id=job.job_id, item_key=key, marketplace=MARKETPLACE, output=output)
            error = await failure(received(jobs.jobs.DownloadJobFile(wanted)))
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, reason)

    async def test_that_were_damaged_or_lost_are_never_passed_off_as_whole(self, jobs: Jobs) -> None:
        job = await jobs.create("a")
        await jobs.succeed(job.job_id)
        (item,) = await jobs.items(job.job_id)
        path = on_disk(item.files[0].url)
        wanted = DownloadJobFileRequest(job_id=job.job_id, item_key="a", marketplace=MARKETPLACE, output=OUTPUT_JPEG)
        path.write_bytes(b"a packsh0t")
        error = await failure(received(jobs.jobs.DownloadJobFile(wanted)))
        assert (error.code, error.reason) == (grpc.StatusCode.DATA_LOSS, "FILE_DAMAGED")
        path.unlink()
        error = await failure(received(jobs.jobs.DownloadJobFile(wanted)))
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "FILE_NOT_KEPT")


class TestDeadLetters:
    async def test_are_listed_newest_first_and_queued_again(self, jobs: Jobs) -> None:
        job = await jobs.create("a", "b", "c")
        await jobs.fail(job.job_id, "STAGE_FAILED", dead=True)
        await jobs.fail(job.job_id, "STAGE_FAILED", dead=True)
        await jobs.fail(job.job_id)
        request = ListDeadLettersRequest(job_id=job.job_id, page_size=1)
        first = await jobs.jobs.ListDeadLetters(request)
        request.page_token = first.next_page_token
        second = await jobs.jobs.ListDeadLetters(request)
        (newest,), (oldest,) = first.dead_letters, second.dead_letters
        assert (newest.item.item_key, oldest.item.item_key, second.next_page_token) == ("b", "a", "")
        assert (newest.reason, newest.job_id, newest.attempts) == ("STAGE_FAILED", job.job_id, 1)
        wanted = RequeueDeadLettersRequest(dead_letter_ids=[oldest.dead_letter_id])
        assert (await jobs.jobs.RequeueDeadLetters(wanted)).requeued == 1
        assert (await jobs.jobs.RequeueDeadLetters(wanted)).requeued == 0
        states = [item.state for item in await jobs.items(job.job_id)]
        assert states == [JOB_ITEM_STATE_QUEUED, JOB_ITEM_STATE_FAILED, JOB_ITEM_STATE_FAILED]
        assert (await jobs.jobs.RequeueDeadLetters(RequeueDeadLettersRequest())).requeued == 1
        assert not (await jobs.jobs.ListDeadLetters(ListDeadLettersRequest())).dead_letters


async def test_another_tenants_things_read_as_if_they_were_not(jobs: Jobs) -> None:
    job = await jobs.create("a", "b")
    await jobs.succeed(job.job_id)
    await jobs.fail(job.job_id, dead=True)
    (letter,) = (await jobs.jobs.ListDeadLetters(ListDeadLettersRequest())).dead_letters
    stranger = (await jobs.for_tenant("zeta")).jobs
    for job_id in (job.job_id, NOBODYS_JOB):
        file = DownloadJobFileRequest(job_id=job_id, item_key="a", marketplace=MARKETPLACE, output=OUTPUT_JPEG)
        for call in (
            stranger.GetJob(GetJobRequest(job_id=job_id)),
            stranger.ListJobItems(ListJobItemsRequest(job_id=job_id)),
            stranger.CancelJob(CancelJobRequest(job_id=job_id)),
            stranger.RetryJobItems(RetryJobItemsRequest(job_id=job_id)),
            stranger.UploadJobItems(iter(upload(job_id, [("c", b"photo")]))),
            stranger.WatchJob(WatchJobRequest(job_id=job_id)).read(),
            received(stranger.GetJobResults(GetJobResultsRequest(job_id=job_id))),
            received(stranger.DownloadJobFile(file)),
            stranger.ListDeadLetters(ListDeadLettersRequest(job_id=job_id)),
        ):
            error = await failure(call)
            assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    wanted = RequeueDeadLettersRequest(dead_letter_ids=[letter.dead_letter_id])
    assert (await failure(stranger.RequeueDeadLetters(wanted))).reason == "DEAD_LETTER_NOT_FOUND"
    assert not (await stranger.ListJobs(ListJobsRequest())).jobs
    assert not (await stranger.ListDeadLetters(ListDeadLettersRequest())).dead_letters
    assert (await jobs.jobs.GetJob(GetJobRequest(job_id=job.job_id))).job.state == JOB_STATE_COMPLETED


async def test_a_gateway_without_a_place_for_jobs_says_what_is_missing(stages: Stages) -> None:
    async with running_gateway(stages) as gateway:
        jobs: Any = JobServiceStub(gateway.channel)
        reviews: Any = ReviewServiceStub(gateway.channel)
        review_id = f"rev_{'0' * 32}"
        file = DownloadJobFileRequest(job_id=NOBODYS_JOB, item_key="a", marketplace=MARKETPLACE, output=OUTPUT_JPEG)
        for call in (
            jobs.CreateJob(CreateJobRequest(accepts_uploads=True)),
            jobs.UploadJobItems(iter([UploadJobItemsRequest()])),
            jobs.GetJob(GetJobRequest(job_id=NOBODYS_JOB)),
            jobs.ListJobs(ListJobsRequest()),
            jobs.ListJobItems(ListJobItemsRequest(job_id=NOBODYS_JOB)),
            jobs.CancelJob(CancelJobRequest(job_id=NOBODYS_JOB)),
            jobs.RetryJobItems(RetryJobItemsRequest(job_id=NOBODYS_JOB)),
            jobs.WatchJob(WatchJobRequest(job_id=NOBODYS_JOB)).read(),
            jobs.GetJobResults(GetJobResultsRequest(job_id=NOBODYS_JOB)).read(),
            jobs.DownloadJobFile(file).read(),
            jobs.ListDeadLetters(ListDeadLettersRequest()),
            jobs.RequeueDeadLetters(RequeueDeadLettersRequest()),
            reviews.ListReviews(ListReviewsRequest()),
            reviews.GetReview(GetReviewRequest(review_id=review_id)),
            reviews.DecideReview(DecideReviewRequest(review_id=review_id, decision=REVIEW_STATE_APPROVED)),
        ):
            error = await failure(call)
            assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOBS_NOT_CONFIGURED")
            for name in ("GATEWAY_DATABASE_URL", "GATEWAY_OBJECTS_URL", "GATEWAY_NATS_URL"):
                assert name in error.message
