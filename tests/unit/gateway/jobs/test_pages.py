import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.v1.jobs_pb2 import JOB_STATE_FAILED, ListJobItemsRequest, ListJobsRequest
from packshot.v1.reviews_pb2 import ListReviewsRequest
from services.common.errors import ServiceError
from services.gateway.jobs import pages

JOB_ID = f"job_{'0' * 32}"


def with_token(token: str) -> ListJobsRequest:
    return ListJobsRequest(page_token=token)


def forged(*parts: Any) -> str:
    """A token of the right list that no gateway gave."""
    mine = pages.next_page_token(ListJobsRequest(), ())
    (fingerprint,) = json.loads(base64.urlsafe_b64decode(mine + "=" * (-len(mine) % 4)))
    return base64.urlsafe_b64encode(json.dumps([fingerprint, *parts]).encode()).decode().rstrip("=")


def test_without_a_token_a_list_begins_at_its_beginning() -> None:
    assert pages.position(ListJobItemsRequest(job_id=JOB_ID), (int,)) is None
    assert pages.position_in_time(ListJobsRequest()) is None
    assert pages.page_size(ListJobsRequest()) == pages.DEFAULT_PAGE_SIZE
    assert pages.page_size(ListJobsRequest(page_size=7)) == 7


@given(st.datetimes(timezones=st.just(UTC)), st.from_regex(r"job_[0-9a-f]{32}", fullmatch=True))
def test_a_token_leads_back_to_where_it_was_given(time: datetime, name: str) -> None:
    token = pages.next_page_token(ListJobsRequest(page_size=5), (time.isoformat(), name))
    # The size of the next page may be another.
    assert pages.position_in_time(ListJobsRequest(page_size=9, page_token=token)) == (time, name)
    assert len(token) <= 512


def test_a_token_is_for_its_list_and_filters_only() -> None:
    token = pages.next_page_token(ListJobsRequest(), ("2026-01-01T00:00:00+00:00", JOB_ID))
    for request in (ListJobsRequest(states=[JOB_STATE_FAILED], page_token=token), ListReviewsRequest(page_token=token)):
        with pytest.raises(ServiceError, match="other filters") as caught:
            pages.position_in_time(request)
        assert caught.value.reason == "PAGE_TOKEN_OF_ANOTHER_LIST"


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("yesterday", JOB_ID),
        ("0001-01-01T00:00:00+14:00", JOB_ID),
        ("2026-01-01T00:00:00+00:00", 1),
        ("2026-01-01T00:00:00+00:00", "job_\0"),
        ("2026-01-01T00:00:00+00:00", "\ud800"),
        ("2026-01-01T00:00:00+00:00", JOB_ID, 1),
    ],
)
def test_a_forged_token_is_refused(parts: tuple[Any, ...]) -> None:
    with pytest.raises(ServiceError) as caught:
        pages.position_in_time(with_token(forged(*parts)))
    assert caught.value.reason == "PAGE_TOKEN_UNKNOWN"


@pytest.mark.parametrize("number", [-1, 2**31, 10**30, True, 1.5, None])
def test_a_forged_place_is_refused(number: Any) -> None:
    with pytest.raises(ServiceError) as caught:
        pages.position(with_token(forged(number)), (int,))
    assert caught.value.reason == "PAGE_TOKEN_UNKNOWN"


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_is_a_token_or_refused(token: str) -> None:
    try:
        assert pages.position_in_time(with_token(token)) is None
        assert not token
    except ServiceError as error:
        assert error.reason == "PAGE_TOKEN_UNKNOWN"
