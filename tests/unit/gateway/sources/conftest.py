from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.authority import Authority
from tests.helpers.dns_server import Names, dns_server
from tests.helpers.s3_server import s3_server

__all__ = ["s3_server"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("ca")
    return Authority(folder)


@pytest.fixture
def names() -> Iterator[Names]:
    with dns_server() as running:
        yield running
