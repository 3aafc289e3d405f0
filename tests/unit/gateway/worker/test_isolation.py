"""One alone, or many together."""

import asyncio

import pytest

from services.gateway.worker.isolation import Isolation


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_are_inside_together() -> None:
    isolation = Isolation()
    async with isolation.together(), isolation.together():
        pass


async def test_who_wants_to_be_alone_waits_for_those_inside_and_new_ones_wait_for_it() -> None:
    isolation = Isolation()
    order: list[str] = []
    leave = {name: asyncio.Event() for name in ("first", "suspect", "new")}

    async def inside(name: str, alone: bool) -> None:
        async with isolation.alone() if alone else isolation.together():
            order.append(name)
            await leave[name].wait()

    tasks = [asyncio.create_task(inside("first", alone=False))]
    await settle()
    tasks.append(asyncio.create_task(inside("suspect", alone=True)))
    await settle()
    tasks.append(asyncio.create_task(inside("new", alone=False)))
    await settle()
    assert order == ["first"]
    leave["first"].set()
    await settle()
    assert order == ["first", "suspect"]
    leave["suspect"].set()
    await settle()
    assert order == ["first", "suspect", "new"]
    leave["new"].set()
    await asyncio.gather(*tasks)


async def test_two_suspects_are_alone_one_after_the_other() -> None:
    isolation = Isolation()
    inside = most = 0

    async def suspect() -> None:
        nonlocal inside, most
        async with isolation.alone():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(suspect() for _ in range(5)))
    assert most == 1


async def test_one_that_gives_up_waiting_lets_the_others_in() -> None:
    isolation = Isolation()
    async with isolation.together():
        waiting = asyncio.create_task(isolation.alone().__aenter__())
        await settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5), isolation.together():
            pass
