"""Every gateway and validator is replaced while images are checked, as a Deployment replaces them; in full with
photos: bench.rolling."""

import asyncio

import pytest

from packshot.client import AsyncPackshotClient
from tests.helpers import product_photos
from tests.helpers.replicas import Cluster

REPLACED = ("validator", "gateway")
CALLS = 40


@pytest.mark.timeout(300)
async def test_no_call_fails_while_every_replica_is_replaced() -> None:
    image = product_photos.mug_jpeg(256)
    with Cluster.running(dict.fromkeys(REPLACED, 2)) as cluster:
        done = asyncio.Event()
        answered = 0

        async def caller() -> None:
            nonlocal answered
            while not done.is_set() or answered < CALLS:
                assert (await client.check(image, timeout_s=120)).reports
                answered += 1
                await asyncio.sleep(0.1)  # new replicas need the processor too

        async with AsyncPackshotClient(cluster["gateway"].address) as client:
            callers = [asyncio.create_task(caller()) for _ in range(2)]
            for service in REPLACED:
                deployment = cluster[service]
                for old in deployment.replicas:
                    new = await asyncio.to_thread(deployment.add)
                    await asyncio.to_thread(deployment.remove, old)
                    assert new in deployment.replicas
            done.set()
            await asyncio.gather(*callers)
    assert answered >= CALLS
