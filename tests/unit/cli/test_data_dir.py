from pathlib import Path

import pytest

from packshot.cli.data_dir import DataDir
from packshot.cli.failures import CommandError


def test_where_things_lie(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "my data")
    assert data.database_url == f"sqlite+aiosqlite:///{tmp_path}/my data/packshot.db"
    assert data.objects_url == f"file://{tmp_path}/my%20data/objects"


def test_belongs_to_one_command_at_a_time(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    with data.held(), pytest.raises(CommandError, match="another packshot uses"), data.held():
        pass
    with data.held():
        pass
