from collections.abc import Iterator

import pytest

from packshot.client import PackshotClient, Region
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.reviews_pb2 import REVIEW_STATE_APPROVED, REVIEW_STATE_REDONE, REVIEW_STATE_REJECTED, RedoHints
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def client(gateway: ScriptedJobs) -> Iterator[PackshotClient]:
    with serving_jobs(gateway) as address, PackshotClient(address, timeout_s=20) as client:
        client.jobs.create(catalogue=b"sku,image_url\nodd-mug,\nodd-cup,\nodd-pot,\n")
        yield client


def test_those_that_wait_page_by_page(client: PackshotClient) -> None:
    assert [review.item.sku for review in client.reviews.list()] == ["odd-mug", "odd-cup", "odd-pot"]


def test_decisions(client: PackshotClient) -> None:
    mug, cup, pot = (review.review_id for review in client.reviews.list())
    assert client.reviews.approve(mug, note="fine").state == REVIEW_STATE_APPROVED
    assert client.reviews.reject(cup).state == REVIEW_STATE_REJECTED
    redone = client.reviews.redo(
        pot,
        region_of_interest=Region(1, 2, 30, 40),
        include=[(5, 6)],
        exclude=[(7, 8)],
        marketplaces=["amazon-jp"],
    )
    assert redone.state == REVIEW_STATE_REDONE
    assert redone.audit_trail[0].hints == RedoHints(
        region_of_interest=BoundingBox(x=1, y=2, width=30, height=40),
        points=[PointHint(x=5, y=6, include=True), PointHint(x=7, y=8, include=False)],
        marketplaces=["amazon-jp"],
    )
    assert list(client.reviews.list()) == []
    assert [review.item.sku for review in client.reviews.list(states=["approved"])] == ["odd-mug"]
    assert client.reviews.get(mug).audit_trail[0].note == "fine"


def test_a_redo_needs_a_hint(client: PackshotClient) -> None:
    with pytest.raises(ValueError, match="at least one hint"):
        client.reviews.redo("rev_" + "0" * 32)
