from collections.abc import AsyncIterator

import pytest

from tests.helpers.gateway import Gateway, running_gateway
from tests.helpers.postgres import postgres
from tests.helpers.stages import Stages

__all__ = ["postgres"]


@pytest.fixture
async def stages() -> AsyncIterator[Stages]:
    async with Stages.running() as running:
        yield running


@pytest.fixture
async def gateway(stages: Stages) -> AsyncIterator[Gateway]:
    async with running_gateway(stages) as running:
        yield running
