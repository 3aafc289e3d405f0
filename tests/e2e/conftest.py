"""The real services in this process, once for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from packshot.cli.local import LocalStack
from packshot.client import PackshotClient


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    with LocalStack(("classical",)) as running:
        yield running


@pytest.fixture(scope="session")
def client(stack: LocalStack) -> Iterator[PackshotClient]:
    with PackshotClient(stack.address, timeout_s=100) as connected:
        yield connected
