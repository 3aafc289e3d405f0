"""No tenant can see, guess or change another's jobs and reviews: every method, with every id it takes.

The methods come from the protos: a new one, or a new id in a request, fails here until it has a case.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from sqlalchemy import select

from packshot.v1 import jobs_pb2, reviews_pb2
from packshot.v1.jobs_pb2 import (
    RESULTS_FORMAT_JSON_LINES,
    CancelJobRequest,
    CreateJobRequest,
    DownloadJobFileRequest,
    GetJobRequest,
    GetJobResultsRequest,
    JobItemSource,
    JobItemSources,
    ListDeadLettersRequest,
    ListJobItemsRequest,
    ListJobsRequest,
    RequeueDeadLettersRequest,
    RetryJobItemsRequest,
    UploadJobItemsRequest,
    UploadStart,
    WatchJobRequest,
)
from packshot.v1.packshot_pb2 import OUTPUT_JPEG
from packshot.v1.reviews_pb2 import (
    REVIEW_STATE_APPROVED,
    DecideReviewRequest,
    GetReviewRequest,
    ListReviewsRequest,
    RedoHints,
)
from services.gateway.auth import SCOPE_OF_SERVICE
from services.gateway.caller import SCOPES
from services.gateway.state.tables import ApiKey, Base, Tenant
from tests.helpers.api_keys import new_key, new_key_with_id, revoke
from tests.helpers.gateway import failure
from tests.helpers.job_service import MARKETPLACE, Jobs, running_jobs, upload
from tests.helpers.stages import Stages

SERVICES = [
    jobs_pb2.DESCRIPTOR.services_by_name["JobService"],
    reviews_pb2.DESCRIPTOR.services_by_name["ReviewService"],
]
METHODS: dict[str, MethodDescriptor] = {method.name: method for service in SERVICES for method in service.methods}


@dataclass(frozen=True)
class Ids:
    """Of what a tenant has."""

    job_id: str
    open_job_id: str
    review_id: str
    dead_letter_id: str


NEVER = Ids(f"job_{'0' * 32}", f"job_{'1' * 32}", f"rev_{'2' * 32}", f"dl_{'3' * 32}")

REQUESTS_WITH_IDS: Mapping[str, list[Callable[[Ids], Message]]] = {
    "UploadJobItems": [lambda ids: UploadJobItemsRequest(start=UploadStart(job_id=ids.open_job_id, complete=True))],
    "GetJob": [lambda ids: GetJobRequest(job_id=ids.job_id)],
    "ListJobItems": [lambda ids: ListJobItemsRequest(job_id=ids.job_id)],
    "CancelJob": [lambda ids: CancelJobRequest(job_id=ids.job_id)],
    "RetryJobItems": [
        lambda ids: RetryJobItemsRequest(job_id=ids.job_id),
        lambda ids: RetryJobItemsRequest(job_id=ids.job_id, item_keys=["dead"]),
    ],
    "WatchJob": [
        lambda ids: WatchJobRequest(job_id=ids.job_id),
        lambda ids: WatchJobRequest(job_id=ids.job_id, after_sequence=2),
    ],
    "GetJobResults": [
        lambda ids: GetJobResultsRequest(job_id=ids.job_id),
        lambda ids: GetJobResultsRequest(job_id=ids.job_id, format=RESULTS_FORMAT_JSON_LINES),
    ],
    "DownloadJobFile": [
        lambda ids: DownloadJobFileRequest(
            job_id=ids.job_id, item_key="review", marketplace=MARKETPLACE, output=OUTPUT_JPEG
        )
    ],
    "ListDeadLetters": [lambda ids: ListDeadLettersRequest(job_id=ids.job_id)],
    "RequeueDeadLetters": [lambda ids: RequeueDeadLettersRequest(dead_letter_ids=[ids.dead_letter_id])],
    "ListReviews": [lambda ids: ListReviewsRequest(job_id=ids.job_id)],
    "GetReview": [lambda ids: GetReviewRequest(review_id=ids.review_id)],
    "DecideReview": [
        lambda ids: DecideReviewRequest(review_id=ids.review_id, decision=REVIEW_STATE_APPROVED),
        lambda ids: DecideReviewRequest(
            review_id=ids.review_id,
            decision=reviews_pb2.REVIEW_STATE_REDONE,
            hints=RedoHints(marketplaces=[MARKETPLACE]),
        ),
    ],
}
REQUESTS_WITHOUT_IDS: Mapping[str, Message] = {
    "CreateJob": CreateJobRequest(
        request_id="order-17", items=JobItemSources(items=[JobItemSource(url="https://shop.example/mug.jpg")])
    ),
    "ListJobs": ListJobsRequest(),
}
CASES = [(name, number) for name, requests in REQUESTS_WITH_IDS.items() for number in range(len(requests))]


# One house for all: intruders change nothing in it, and its owner comes last.
in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tenancy")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def acme(folder: Path) -> AsyncIterator[Jobs]:
    async with Stages.running() as stages, running_jobs(stages, folder) as jobs:
        yield jobs


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zeta(acme: Jobs) -> Jobs:
    return await acme.for_tenant("zeta")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(acme: Jobs) -> Ids:
    """A job of acme's with one item for review, one that was given up, and one that waits, and a job that is open."""
    job = await acme.create("review", "dead", "waits", request_id="order-17")
    await acme.succeed(job.job_id, "review")
    await acme.fail(job.job_id, dead=True)
    open_job = await acme.open()
    await acme.jobs.UploadJobItems(iter(upload(open_job.job_id, [("a", b"a photo")])))
    (review,) = (await acme.reviews.ListReviews(ListReviewsRequest())).reviews
    (dead_letter,) = (await acme.jobs.ListDeadLetters(ListDeadLettersRequest())).dead_letters
    return Ids(job.job_id, open_job.job_id, review.review_id, dead_letter.dead_letter_id)


async def call(jobs: Jobs, name: str, request: Message) -> list[Any]:
    """Calls a method of either service, whatever its shape; all its answers."""
    method = METHODS[name]
    stub = getattr(jobs.jobs if method.containing_service.name == "JobService" else jobs.reviews, name)
    sent = iter([request]) if method.client_streaming else request
    if method.server_streaming:
        return [answer async for answer in stub(sent)]
    return [await stub(sent)]


def with_key(jobs: Jobs, key: str) -> Jobs:
    """The same services, called with another key."""
    return Jobs(jobs.server, jobs.store, jobs.channel, jobs.database_url, key)


async def everything(jobs: Jobs, folder: Path) -> dict[str, Any]:
    """All that is kept: every row of every table, and every object."""
    async with jobs.store.database.read() as session:
        rows = {
            table.name: sorted(map(repr, (await session.execute(select(table))).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in (Tenant.__tablename__, ApiKey.__tablename__)
        }
    return rows | {
        str(path): hashlib.sha256((folder / "objects" / path).read_bytes()).hexdigest() for path in objects_in(folder)
    }


def objects_in(folder: Path) -> list[Path]:
    return [path.relative_to(folder / "objects") for path in folder.glob("objects/**/*") if path.is_file()]


def test_every_method_has_a_case() -> None:
    assert sorted([*REQUESTS_WITH_IDS, *REQUESTS_WITHOUT_IDS]) == sorted(METHODS)


def test_every_id_that_a_request_can_carry_is_tried() -> None:
    for name, method in METHODS.items():
        carried = set(id_fields(method.input_type))
        requests = [make(NEVER) for make in REQUESTS_WITH_IDS.get(name, [])]
        tried = {path for request in requests for path in carried if value_at(request, path)}
        assert tried == carried, name


def id_fields(message: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of the fields that name something that is kept; a request_id names only the request."""
    found: list[tuple[str, ...]] = []
    for field in message.fields:
        path = (*prefix, field.name)
        if field.name.endswith(("_id", "_ids")) and field.name != "request_id":
            found.append(path)
        elif field.message_type is not None and field.message_type.file.name.startswith("packshot/v1/"):
            found += id_fields(field.message_type, path)
    return found


def value_at(message: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        message = getattr(message, name)
    return message


@pytest.mark.parametrize(("name", "number"), CASES)
@in_one_loop
async def test_anothers_ids_are_not_found_and_nothing_changes(
    acme: Jobs, zeta: Jobs, ids: Ids, folder: Path, name: str, number: int
) -> None:
    make = REQUESTS_WITH_IDS[name][number]
    before = await everything(acme, folder)
    anothers = await failure(call(zeta, name, make(ids)))
    assert anothers.code is grpc.StatusCode.NOT_FOUND
    assert await everything(acme, folder) == before

    # And an id that was never given out reads the same: nobody can find out which there are.
    nobodys = await failure(call(zeta, name, make(NEVER)))
    words = anothers.message
    for real, unreal in zip(vars(ids).values(), vars(NEVER).values(), strict=True):
        words = words.replace(real, unreal)
    assert (nobodys.code, nobodys.reason, nobodys.message) == (anothers.code, anothers.reason, words)
    assert nobodys.metadata == anothers.metadata == {}


@in_one_loop
async def test_lists_hold_only_what_is_ones_own(acme: Jobs, zeta: Jobs, ids: Ids) -> None:
    assert len((await acme.jobs.ListJobs(ListJobsRequest())).jobs) == 2
    assert list((await zeta.jobs.ListJobs(ListJobsRequest())).jobs) == []
    assert list((await zeta.jobs.ListDeadLetters(ListDeadLettersRequest())).dead_letters) == []
    assert list((await zeta.reviews.ListReviews(ListReviewsRequest())).reviews) == []
    assert (await zeta.jobs.RequeueDeadLetters(RequeueDeadLettersRequest())).requeued == 0
    assert len((await acme.jobs.ListDeadLetters(ListDeadLettersRequest())).dead_letters) == 1


@in_one_loop
async def test_anothers_page_token_opens_nothing(acme: Jobs, zeta: Jobs, ids: Ids) -> None:
    token = (await acme.jobs.ListJobs(ListJobsRequest(page_size=1))).next_page_token
    assert token
    assert list((await zeta.jobs.ListJobs(ListJobsRequest(page_size=1, page_token=token))).jobs) == []


@in_one_loop
async def test_the_same_request_id_of_two_tenants_is_two_jobs(acme: Jobs, zeta: Jobs, ids: Ids) -> None:
    ours = (await call(zeta, "CreateJob", REQUESTS_WITHOUT_IDS["CreateJob"]))[0].job
    assert ours.job_id != ids.job_id
    assert ours.counts.total == 1


@in_one_loop
async def test_the_same_photo_of_two_tenants_is_kept_for_each(acme: Jobs, zeta: Jobs, ids: Ids, folder: Path) -> None:
    job = await zeta.open()
    await zeta.jobs.UploadJobItems(iter(upload(job.job_id, [("a", b"a photo")])))
    digest = hashlib.sha256(b"a photo").hexdigest()
    assert {path.parts[0] for path in objects_in(folder) if path.name == digest} == {"acme", "zeta"}


@pytest.mark.parametrize("name", METHODS)
@in_one_loop
async def test_a_key_without_the_scope_is_refused_and_nothing_changes(
    acme: Jobs, ids: Ids, folder: Path, name: str
) -> None:
    scope = SCOPE_OF_SERVICE[METHODS[name].containing_service.full_name]
    key = await new_key(acme.database_url, "acme", *(other for other in SCOPES if other != scope))
    request = REQUESTS_WITHOUT_IDS.get(name) or REQUESTS_WITH_IDS[name][0](ids)
    before = await everything(acme, folder)
    error = await failure(call(with_key(acme, key), name, request))
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
    assert error.metadata == {"scope": scope}
    assert await everything(acme, folder) == before


@in_one_loop
async def test_watches_and_uploads_end_with_their_key(acme: Jobs, ids: Ids) -> None:
    key_id, key = await new_key_with_id(acme.database_url, "acme", "jobs")
    jobs = with_key(acme, key).jobs
    watch = jobs.WatchJob(WatchJobRequest(job_id=ids.open_job_id))
    assert (await watch.read()).event.sequence == 1
    sending = jobs.UploadJobItems()
    await sending.write(UploadJobItemsRequest(start=UploadStart(job_id=ids.open_job_id)))
    await revoke(acme.database_url, key_id)
    async with asyncio.timeout(5):
        ends = await asyncio.gather(failure(to_the_end(watch)), failure(sending))
    assert [(end.code, end.reason) for end in ends] == [(grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")] * 2


async def to_the_end(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("name", METHODS)
@in_one_loop
async def test_without_a_key_nothing_is_told(acme: Jobs, ids: Ids, name: str) -> None:
    request = REQUESTS_WITHOUT_IDS.get(name) or REQUESTS_WITH_IDS[name][0](ids)
    error = await failure(call(with_key(acme, "pk_guessed"), name, request))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


@pytest.mark.parametrize(("name", "number"), CASES)
@in_one_loop
async def test_the_owners_ids_are_found(acme: Jobs, ids: Ids, name: str, number: int) -> None:
    """So that the cases above fail for the right reason."""
    if name == "WatchJob":
        await acme.jobs.CancelJob(CancelJobRequest(job_id=ids.job_id))  # which ends a watch
    try:
        assert await call(acme, name, REQUESTS_WITH_IDS[name][number](ids))
    except grpc.aio.AioRpcError as error:
        # Decided otherwise by the case before.
        assert (name, error.code()) == ("DecideReview", grpc.StatusCode.FAILED_PRECONDITION)
