"""Tasks that die are started again; those that keep dying are seen."""

import asyncio

import pytest

from services.gateway import background
from services.gateway.background import Background
from tests.helpers.gateway import eventually


class AwayError(Exception):
    """What the task needs is not there."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(background, "_LONGEST_PAUSE_S", 0.02)


def tasks() -> Background:
    return Background(away=lambda error: isinstance(error, AwayError))


async def test_a_task_that_dies_is_started_again() -> None:
    lives = 0
    lived = asyncio.Event()

    async def work() -> None:
        nonlocal lives
        lives += 1
        if lives < 3:
            raise KeyError("a bug")
        lived.set()
        await asyncio.sleep(60)

    running = tasks()
    running.start("work", work)
    await asyncio.wait_for(lived.wait(), 10)
    assert running.healthy()
    await running.stop()


async def test_a_task_that_keeps_dying_makes_the_gateway_ill() -> None:
    async def work() -> None:
        raise KeyError("a bug")

    running = tasks()
    running.start("work", work)
    await eventually(lambda: not running.healthy())
    await running.stop()


async def test_what_is_away_is_waited_for_without_illness() -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise AwayError

    running = tasks()
    running.start("work", work)
    await eventually(lambda: tries > 8)
    assert running.healthy()
    await running.stop()


async def test_stopping_waits_for_the_end_of_every_task() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("work")

    running = tasks()
    running.start("work", work)
    await asyncio.sleep(0)
    await running.stop()
    assert ended == ["work"]
