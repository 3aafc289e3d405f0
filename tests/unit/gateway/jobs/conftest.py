from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.job_service import Jobs, running_jobs
from tests.helpers.stages import Stages


@pytest.fixture
async def jobs(stages: Stages, tmp_path: Path) -> AsyncIterator[Jobs]:
    async with running_jobs(stages, tmp_path) as running:
        yield running
