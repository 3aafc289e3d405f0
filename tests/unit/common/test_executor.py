import asyncio
import threading
import time
from collections.abc import AsyncIterator

import grpc
import pytest

from services.common.errors import ServiceError
from services.common.executor import BoundedExecutor
from tests.helpers.gateway import eventually


@pytest.fixture
async def executor() -> AsyncIterator[BoundedExecutor]:
    """One worker, and one call may wait."""
    executor = BoundedExecutor(workers=1, queue_size=1)
    yield executor
    await executor.close()


class Gate:
    """Work that runs until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.opened = threading.Event()

    def work(self) -> str:
        self.started.set()
        self.opened.wait(60)
        return "done"


async def test_work_runs_beside_the_event_loop_and_returns(executor: BoundedExecutor) -> None:
    assert await executor.run(pow, 2, 10) == 1024
    assert await executor.run(threading.get_ident) != threading.get_ident()


async def test_the_loop_stays_free_while_work_runs(executor: BoundedExecutor) -> None:
    gate = Gate()
    work = asyncio.create_task(executor.run(gate.work))
    await eventually(gate.started.is_set)
    gate.opened.set()
    assert await work == "done"


async def test_exceptions_come_back(executor: BoundedExecutor) -> None:
    with pytest.raises(ZeroDivisionError):
        await executor.run(divmod, 1, 0)
    assert await executor.run(abs, -1) == 1


async def test_past_its_bound_it_refuses_at_once(executor: BoundedExecutor) -> None:
    gate = Gate()
    inside = [asyncio.create_task(executor.run(gate.work)) for _ in range(2)]
    await eventually(gate.started.is_set)
    with pytest.raises(ServiceError) as caught:
        await asyncio.wait_for(executor.run(gate.work), 20)
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.reason == "OVERLOADED"
    assert caught.value.metadata == {"limit": "2"}
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > 0
    gate.opened.set()
    assert await asyncio.gather(*inside) == ["done", "done"]
    assert await executor.run(abs, -1) == 1


async def test_a_caller_who_gives_up_frees_no_place_while_the_work_runs(executor: BoundedExecutor) -> None:
    gate = Gate()
    gone = asyncio.create_task(executor.run(gate.work))
    await eventually(gate.started.is_set)
    waiting = asyncio.create_task(executor.run(abs, -1))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    with pytest.raises(ServiceError):
        await executor.run(abs, -1)
    gate.opened.set()
    assert await waiting == 1
    assert await executor.run(abs, -1) == 1


async def test_waiting_work_of_a_caller_who_gives_up_is_dropped(executor: BoundedExecutor) -> None:
    gate, done = Gate(), threading.Event()
    running = asyncio.create_task(executor.run(gate.work))
    await eventually(gate.started.is_set)
    gone = asyncio.create_task(executor.run(done.set))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    after = asyncio.create_task(executor.run(abs, -1))  # in the place that became free
    gate.opened.set()
    assert await running == "done"
    assert await after == 1
    assert not done.is_set()


async def test_closing_waits_for_running_work() -> None:
    executor = BoundedExecutor(workers=1, queue_size=0)
    gate = Gate()
    work = asyncio.create_task(executor.run(gate.work))
    await eventually(gate.started.is_set)
    closing = asyncio.create_task(executor.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    gate.opened.set()
    await closing
    assert await work == "done"


async def test_slower_work_means_a_later_retry() -> None:
    executor = BoundedExecutor(workers=1, queue_size=0)

    async def asked_to_wait_s() -> float:
        gate = Gate()
        running = asyncio.create_task(executor.run(gate.work))
        await eventually(gate.started.is_set)
        with pytest.raises(ServiceError) as caught:
            await executor.run(abs, -1)
        gate.opened.set()
        await running
        assert caught.value.retry_after_s is not None
        return caught.value.retry_after_s

    before = await asked_to_wait_s()
    for _ in range(20):
        await executor.run(time.sleep, 0.001)
    assert await asked_to_wait_s() < before
    await executor.close()
