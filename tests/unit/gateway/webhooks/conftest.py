from pathlib import Path

import pytest

from tests.helpers.authority import Authority
from tests.helpers.database import sqlite_template, sqlite_url

__all__ = ["sqlite_template", "sqlite_url"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("ca")
    return Authority(folder)
