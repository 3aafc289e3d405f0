"""A job tells its webhook what ended, reviews included; a person's hints reach the segmenter."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from sqlalchemy import func, select

from packshot.v1 import reviews_pb2_grpc
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.reviews_pb2 import (
    REVIEW_STATE_REDONE,
    DecideReviewRequest,
    ListReviewsRequest,
    RedoHints,
)
from packshot.v1.segmenter_pb2 import SegmentImageRequest, SegmentImageResponse
from packshot.webhooks import verify
from services.gateway.auth import NO_TENANT
from services.gateway.objects import Objects
from services.gateway.state import tenants
from services.gateway.state.tables import WebhookDelivery
from services.gateway.worker.retention import Retention
from tests.helpers.authority import Authority
from tests.helpers.bulk import House, until
from tests.helpers.gateway import eventually
from tests.helpers.https_server import Exchange, HttpServer, http_server
from tests.helpers.nats_server import NatsServer
from tests.helpers.stages import MATTE, segmentation, segmented


@pytest.fixture
async def house(events: Client, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[House]:
    async with House.open(tmp_path, nats_server.url) as house:
        yield house


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[tuple[HttpServer, dict[str, str]]]:
    """An HTTPS server, and what a gateway has to be told to call it."""
    authority = Authority(tmp_path)
    async with http_server(authority.server_context("localhost")) as server:
        server.always("/hook", 204)
        hosts = json.dumps([f"localhost:{server.port}"])
        yield server, {"SOURCES__INTERNAL_HOSTS": hosts, "SOURCES__CA_FILE": str(authority.ca_file)}


async def secret_of(house: House) -> str:
    async with house.database() as database, database.read() as session:
        tenant = await tenants.find(session, NO_TENANT)
    assert tenant is not None
    return tenant.webhook_secret


def told(exchanges: list[Exchange], secret: str) -> list[tuple[str, str]]:
    """Type and item of every call, all of them believed."""
    found = []
    for exchange in exchanges:
        event = verify(secret, exchange.headers, exchange.body).event
        found.append((event["type"], event["item"]["item_key"] if event["item"] else ""))
    return found


async def test_a_job_tells_of_every_item_and_its_end(house: House, receiver: tuple[HttpServer, dict[str, str]]) -> None:
    server, environment = receiver
    async with house.gateway(**environment) as caller:
        job = await caller.create([b"one", b"two", b"three"], webhook_url=f"https://localhost:{server.port}/hook")
        await eventually(lambda: len(server.exchanges) == 4)
        came = told(server.exchanges, await secret_of(house))
        assert sorted(came[:3]) == [("item_succeeded", str(number)) for number in range(3)]
        assert came[3] == ("completed", "")
        assert all(json.loads(exchange.body)["job_id"] == job.job_id for exchange in server.exchanges)


async def test_calls_that_were_made_long_ago_are_forgotten(
    house: House, receiver: tuple[HttpServer, dict[str, str]]
) -> None:
    server, environment = receiver
    async with house.gateway(**environment) as caller, house.database() as database:
        await caller.create([b"one"], webhook_url=f"https://localhost:{server.port}/hook")

        async def calls(state: str) -> int:
            async with database.read() as session:
                found = select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.state == state)
                return await session.scalar(found) or 0

        async def are_made() -> bool:
            return await calls("delivered") == 2

        await until(are_made)
        retention = Retention(database, Objects(house.environment["OBJECTS_URL"]), "tester", days=90)
        await retention.sweep(datetime.now(UTC) + timedelta(days=6))
        assert await calls("delivered") == 2
        await retention.sweep(datetime.now(UTC) + timedelta(days=8))
        assert await calls("delivered") == 0


def unsure(request: SegmentImageRequest) -> SegmentImageResponse:
    return SegmentImageResponse(matte_png=MATTE, segmentation=segmentation(expected_iou=0.5))


async def test_a_redo_is_made_with_the_hints_and_told_of(
    house: House, receiver: tuple[HttpServer, dict[str, str]]
) -> None:
    server, environment = receiver
    hints = RedoHints(
        region_of_interest=BoundingBox(x=10, y=20, width=300, height=200),
        points=[PointHint(x=40, y=50, include=True), PointHint(x=5, y=6)],
    )
    house.stages.segmenter.segment.script = [unsure, segmented]
    async with house.gateway(**environment) as caller:
        job = await caller.create([b"one"], webhook_url=f"https://localhost:{server.port}/hook")

        async def waits_for_a_person() -> bool:
            return (await caller.get(job.job_id)).counts.review == 1

        await until(waits_for_a_person)
        reviews = reviews_pb2_grpc.ReviewServiceStub(caller.channel)
        (review,) = (await reviews.ListReviews(ListReviewsRequest(job_id=job.job_id))).reviews
        redo = DecideReviewRequest(review_id=review.review_id, decision=REVIEW_STATE_REDONE, hints=hints)
        await reviews.DecideReview(redo)
        await eventually(lambda: len(server.exchanges) == 5)
        calls = [call.request for call in house.stages.segmenter.segment.calls]
        assert [list(call.points) for call in calls] == [[], list(hints.points)]
        assert calls[1].region_of_interest == hints.region_of_interest
        assert [kind for kind, _ in told(server.exchanges, await secret_of(house))] == [
            "item_succeeded",
            "completed",
            "review_decided",
            "item_succeeded",
            "completed",
        ]
