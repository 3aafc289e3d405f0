import grpc
import pytest

from packshot.v1.jobs_pb2 import (
    JOB_ITEM_STATE_FAILED,
    JOB_ITEM_STATE_QUEUED,
    JOB_STATE_COMPLETED,
    JOB_STATE_OPEN,
    JOB_STATE_READING,
    JOB_STATE_RUNNING,
    CreateJobRequest,
    JobItemSource,
    JobItemSources,
    ListJobsRequest,
)
from packshot.v1.packshot_pb2 import ProcessOptions
from tests.helpers.gateway import failure
from tests.helpers.job_service import Jobs
from tests.helpers.stages import Stages


async def all_jobs(jobs: Jobs) -> int:
    return len((await jobs.jobs.ListJobs(ListJobsRequest())).jobs)


async def test_a_job_of_urls_and_photos(jobs: Jobs) -> None:
    request = CreateJobRequest(
        label="spring",
        priority=2,
        items=JobItemSources(
            items=[
                JobItemSource(item_key="mug", sku="MUG", url="https://shop.example/mug.jpg"),
                JobItemSource(sku="CUP 1", content=b"a photo", category="electronics", marketplaces=["amazon-uk"]),
            ]
        ),
    )
    job = (await jobs.jobs.CreateJob(request)).job
    assert (job.label, job.state, job.priority, job.counts.total) == ("spring", JOB_STATE_RUNNING, 2, 2)
    mug, cup = await jobs.items(job.job_id)
    assert (mug.item_key, mug.source, mug.state) == ("mug", "https://shop.example/mug.jpg", JOB_ITEM_STATE_QUEUED)
    assert (cup.item_key, cup.source) == ("2-CUP-1", "upload")


async def test_a_photo_is_in_the_store_before_its_item_is(jobs: Jobs) -> None:
    items = [JobItemSource(item_key="mug", content=b"a photo")]
    job = (await jobs.jobs.CreateJob(CreateJobRequest(items=JobItemSources(items=items)))).job
    (claimed,) = await jobs.claim(job.job_id)
    photo = claimed.item.photo_object
    assert photo.startswith("acme/photos/")
    assert await jobs.store.objects.get(photo, photo.rsplit("/", 1)[-1]) == b"a photo"


async def test_a_catalogue_becomes_items_and_a_bad_row_one_that_failed(jobs: Jobs) -> None:
    catalogue = b"sku,image_url\nMUG,https://shop.example/mug.jpg\nCUP,\n"
    job = (await jobs.jobs.CreateJob(CreateJobRequest(catalogue=catalogue))).job
    assert (job.catalogue_format, job.counts.total, job.counts.failed) == ("generic", 2, 1)
    mug, cup = await jobs.items(job.job_id)
    assert (mug.item_key, mug.row_number) == ("2-MUG", 2)
    assert (cup.state, cup.row_number, cup.error_reason) == (JOB_ITEM_STATE_FAILED, 3, "ROW_URL_MISSING")


async def test_a_catalogue_of_bad_rows_only_is_done_at_once(jobs: Jobs) -> None:
    job = (await jobs.jobs.CreateJob(CreateJobRequest(catalogue=b"sku,image_url\nMUG,\n"))).job
    assert job.state == JOB_STATE_COMPLETED


async def test_what_is_no_catalogue_is_refused(jobs: Jobs) -> None:
    error = await failure(jobs.jobs.CreateJob(CreateJobRequest(catalogue=b"weight,height\n1,2\n")))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CATALOGUE_COLUMNS_MISSING")
    assert error.violations[0].field == "catalogue"
    assert await all_jobs(jobs) == 0


async def test_a_catalogue_elsewhere_is_read_later_and_uploads_come_later(jobs: Jobs) -> None:
    request = CreateJobRequest(catalogue_url="https://shop.example/catalogue.csv")
    assert (await jobs.jobs.CreateJob(request)).job.state == JOB_STATE_READING
    assert (await jobs.open()).state == JOB_STATE_OPEN


class TestRequestId:
    async def test_the_same_request_gives_the_same_job(self, jobs: Jobs) -> None:
        first = await jobs.create("a", "b", request_id="r-1")
        again = await jobs.create("a", "b", request_id="r-1")
        assert (first.job_id, first.request_id) == (again.job_id, "r-1")
        assert len(await jobs.items(first.job_id)) == 2

    async def test_with_other_content_it_is_refused(self, jobs: Jobs) -> None:
        first = await jobs.create("a", request_id="r-1")
        for other in (jobs.create("b", request_id="r-1"), jobs.create("a", request_id="r-1", label="other")):
            error = await failure(other)
            assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
            assert error.metadata["job_id"] == first.job_id

    async def test_without_one_every_call_makes_a_job(self, jobs: Jobs) -> None:
        assert (await jobs.create("a")).job_id != (await jobs.create("a")).job_id

    async def test_each_tenant_has_its_own(self, jobs: Jobs) -> None:
        other = await jobs.for_tenant("zeta")
        ours, theirs = await jobs.create("a", request_id="r-1"), await other.create("b", request_id="r-1")
        assert ours.job_id != theirs.job_id


class TestChecks:
    @pytest.mark.parametrize(
        ("options", "reason", "field"),
        [
            (ProcessOptions(marketplaces=["ebay"]), "UNKNOWN_MARKETPLACE", "options.marketplaces[0]"),
            (ProcessOptions(category="boats"), "UNKNOWN_CATEGORY", "options.category"),
            (ProcessOptions(as_of_date="2026-02-30"), "INVALID_DATE", "options.as_of_date"),
            (ProcessOptions(marketplaces=["Not One"]), "INVALID_FIELD", "options.marketplaces[0]"),
        ],
    )
    async def test_options_are_checked_as_those_of_a_photo_are(
        self, jobs: Jobs, options: ProcessOptions, reason: str, field: str
    ) -> None:
        error = await failure(jobs.create("a", options=options))
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
        assert [violation.field for violation in error.violations] == [field]
        assert await all_jobs(jobs) == 0

    async def test_a_key_given_twice(self, jobs: Jobs) -> None:
        error = await failure(jobs.create("a", "b", "a"))
        assert (error.reason, error.violations[0].field) == ("DUPLICATE_ITEM_KEY", "items.items[2].item_key")

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("ftp://shop.example/catalogue.csv", "SOURCE_SCHEME_REFUSED"),
            ("file:///etc/passwd", "SOURCE_SCHEME_REFUSED"),
            ("http://shop.example/catalogue.csv", "SOURCE_SCHEME_REFUSED"),
            ("https://me:secret@shop.example/", "SOURCE_USERINFO_REFUSED"),
            ("https://shop.example:6379/", "SOURCE_PORT_REFUSED"),
            ("https://2130706433/", "SOURCE_ADDRESS_REFUSED"),
            ("https://[", "SOURCE_URL_INVALID"),
        ],
    )
    async def test_urls_that_would_not_be_called_are_refused_at_once(self, jobs: Jobs, url: str, reason: str) -> None:
        for error in (
            await failure(jobs.jobs.CreateJob(CreateJobRequest(catalogue_url=url))),
            await failure(jobs.create("a", webhook_url=url)),
        ):
            assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
            assert error.violations[0].field in ("catalogue_url", "webhook_url")
        assert await all_jobs(jobs) == 0

    async def test_without_the_validator_nothing_is_made(self, jobs: Jobs, stages: Stages) -> None:
        await stages.stop("validator")
        error = await failure(jobs.create("a"))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STAGE_UNAVAILABLE")
        assert await all_jobs(jobs) == 0
