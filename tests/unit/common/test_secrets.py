"""Secrets come from files, and go nowhere they can be read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.common import topology
from services.gateway import keys, tenants
from services.gateway.settings import GatewaySettings
from services.gateway.state import migrate
from services.gateway.state.settings import DatabaseSettings
from tests.unit.common.test_server import start_and_end

PASSWORD = "correct-horse"  # noqa: S105
DATABASE_URL = f"postgresql+asyncpg://packshot:{PASSWORD}@127.0.0.1:1/packshot"
NATS_URL = f"nats://packshot:{PASSWORD}@127.0.0.1:1"


@pytest.fixture
def secrets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As a cluster mounts it: a file with the value and a line's end."""
    (tmp_path / "gateway_database_url").write_text(f"{DATABASE_URL}\n")
    (tmp_path / "gateway_nats_url").write_text(NATS_URL)
    monkeypatch.setenv("GATEWAY_SECRETS_DIR", str(tmp_path))
    return tmp_path


class TestFiles:
    def test_what_the_environment_does_not_say_is_read_from_files(self, secrets_dir: Path) -> None:
        assert GatewaySettings().database_url.get_secret_value() == DATABASE_URL
        assert GatewaySettings().nats_url.get_secret_value() == NATS_URL

    def test_the_environment_comes_first(self, secrets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEWAY_NATS_URL", "nats://elsewhere")
        assert GatewaySettings().nats_url.get_secret_value() == "nats://elsewhere"

    def test_every_setting_may_lie_in_a_file(self, secrets_dir: Path) -> None:
        (secrets_dir / "gateway_worker_concurrency").write_text("7\n")
        assert GatewaySettings().worker_concurrency == 7

    def test_commands_read_them_too(self, secrets_dir: Path) -> None:
        assert DatabaseSettings().database_url.get_secret_value() == DATABASE_URL

    def test_a_folder_that_is_not_there_is_named(self) -> None:
        done = start_and_end("services.gateway", GATEWAY_SECRETS_DIR="/not/there")
        assert (done.returncode, done.stderr) == (2, "GATEWAY_SECRETS_DIR: there is no folder /not/there\n")


class TestSilence:
    def test_settings_do_not_show_them(self, secrets_dir: Path) -> None:
        settings = GatewaySettings()
        assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    def test_a_gateway_that_cannot_reach_them_says_where_and_not_the_password(self) -> None:
        done = start_and_end("services.gateway", GATEWAY_DATABASE_URL=DATABASE_URL, GATEWAY_NATS_URL=NATS_URL)
        assert done.returncode == 2
        assert "127.0.0.1:1" in done.stderr
        assert PASSWORD not in done.stdout + done.stderr

    @pytest.mark.parametrize(
        ("command", "arguments"), [(migrate.main, []), (keys.main, ["list"]), (tenants.main, ["list"])]
    )
    @pytest.mark.parametrize(
        "url", [DATABASE_URL, f"postgresql+psycopg2://x:{PASSWORD}@host/name", f"x:{PASSWORD}@host"]
    )
    def test_a_command_does_not_repeat_it(
        self,
        command: Callable[[list[str]], int],
        arguments: list[str],
        url: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
        assert command(arguments) in (1, 2)
        said = capsys.readouterr()
        assert said.err
        assert PASSWORD not in said.out + said.err

    def test_nor_does_the_topology(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("GATEWAY_NATS_URL", NATS_URL)
        monkeypatch.setattr("sys.argv", ["topology"])
        assert topology.main() == 1
        said = capsys.readouterr()
        assert "cannot apply the topology at nats://127.0.0.1:1: " in said.err
        assert PASSWORD not in said.out + said.err
