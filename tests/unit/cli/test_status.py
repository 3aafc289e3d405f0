"""What `packshot status` makes of an answer; tests/integration/test_status.py asks real gateways."""

from typing import Any

import pytest

from packshot.cli.status import findings
from packshot.v1.status_pb2 import Backlog, Component, GetStatusResponse


def answer(**backlog: Any) -> GetStatusResponse:
    """Of a house with a worker."""
    shown: dict[str, Any] = {"dispatcher": "host-1", "workers_with_room": 4} | backlog
    return GetStatusResponse(
        components=[Component(name="gateway", serving=True)],
        backlog=Backlog(**shown),
    )


@pytest.mark.parametrize(
    ("backlog", "expected"),
    [
        ({}, []),
        ({"items_waiting": 900, "items_running": 4, "workers_with_room": 0, "longest_wait_s": 1200}, []),
        ({"dispatcher": ""}, [("no worker runs", True)]),
        (
            {"items_waiting": 3, "longest_wait_s": 360},
            [("items wait, the first for 6 min, and none is in work", True)],
        ),
        (
            {"items_waiting": 900, "items_running": 4, "longest_wait_s": 7500},
            [("an item has waited for 2 h 5 min", False)],
        ),
        ({"dead_letters": 2}, [("2 items given up after too many attempts", False)]),
    ],
)
def test_what_is_off_with_jobs(backlog: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    assert [(finding.what, finding.is_off) for finding in findings(answer(**backlog))] == expected


def test_parts_that_are_away_come_first_each_with_its_own_cure() -> None:
    told = answer(dead_letters=1)
    told.components.extend(
        [Component(name="nats", problem="does not answer"), Component(name="validator", problem="does not answer")]
    )
    nats, validator, dead = findings(told)
    assert (nats.what, nats.is_off, validator.is_off, dead.is_off) == ("nats: does not answer", True, True, False)
    assert "GATEWAY_NATS_URL" in nats.what_to_do
    assert "replica" in validator.what_to_do
