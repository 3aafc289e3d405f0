import asyncio
import random

import grpc
import pytest

from bench.traffic import OpenLoop, Sent, Traffic, closed_loop, random_moments
from packshot.errors import InvalidArgumentError, PackshotError, ResourceExhaustedError

FULL = ResourceExhaustedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "later", retry_after_s=1.0)
USED_UP = ResourceExhaustedError(grpc.StatusCode.RESOURCE_EXHAUSTED, "NO_CREDIT", "for good")
BROKEN = InvalidArgumentError(grpc.StatusCode.INVALID_ARGUMENT, "PHOTO_TRUNCATED", "it ends early")


def test_refused_is_who_is_told_when_to_come_again() -> None:
    traffic = Traffic([Sent(0, 1, error) for error in (None, FULL, USED_UP, BROKEN, BROKEN)], 10)
    assert (len(traffic.answered), len(traffic.refused)) == (1, 1)
    assert traffic.failures == {"NO_CREDIT": 1, "PHOTO_TRUNCATED": 2}


def test_answers_that_come_after_its_end_are_no_goodput() -> None:
    traffic = Traffic([Sent(100, 101, None), Sent(105, 109, None), Sent(109, 112, None), Sent(109, 109, FULL)], 10)
    assert traffic.goodput() == pytest.approx(0.2)
    assert traffic.percentile_s(50) == 3


def test_random_moments_have_the_rate_asked_for() -> None:
    moments = random_moments(20, 500, random.Random(6))
    assert len(moments) == pytest.approx(10_000, rel=0.05)
    assert moments == sorted(moments)
    assert moments[-1] < 500


async def test_every_photo_is_sent_whatever_became_of_the_last() -> None:
    outcomes: list[PackshotError | None] = [None, FULL, BROKEN, None]

    async def send() -> None:
        if error := outcomes.pop(0):
            raise error

    loop = OpenLoop(send, [0, 0, 0.01, 0.02], 0.03)
    await loop.run()
    traffic = await loop.outcome()
    assert [one.error for one in traffic.sent] == [None, FULL, BROKEN, None]


async def test_callers_in_a_circle_send_one_after_the_other() -> None:
    inside, most = 0, 0

    async def send() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1

    traffic = await closed_loop(send, 3, 0.05)
    assert most <= 3
    assert len(traffic.answered) == len(traffic.sent) > 3
