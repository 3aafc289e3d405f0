import importlib.metadata
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from tests.unit.cli.conftest import Run

COMMANDS = [["fix"], ["cutout"], ["check"], ["rules"], ["rules", "list"], ["rules", "show"], ["serve"]]
COMMANDS += [["models"], ["models", "list"], ["models", "fetch"], ["models", "verify"]]


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"packshot {importlib.metadata.version('packshot')}\n"


@pytest.mark.parametrize("command", [[], *COMMANDS])
def test_help_of_every_command(command: list[str]) -> None:
    for option in ("--help", "-h"):
        result = CliRunner().invoke(app, [*command, option])
        assert result.exit_code == 0
        assert "packshot" in result.stdout


@pytest.mark.parametrize("command", [["fix"], ["cutout"], ["check"], ["serve"], ["rules", "show"], ["models", "fetch"]])
def test_help_teaches_by_example(command: list[str]) -> None:
    text = CliRunner().invoke(app, [*command, "--help"]).stdout
    assert "Examples" in text
    assert f"  packshot {' '.join(command)}" in text


def test_a_caller_needs_none_of_the_services_libraries() -> None:
    program = (
        "import sys, packshot.cli.main;"
        "print([m for m in ('services', 'numpy', 'cv2', 'PIL', 'nats', 'onnxruntime', 'pydantic')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("option", [["--tls"], ["--timeout", "0"], ["--jobs", "0"]])
def test_options_that_make_no_sense_exit_2(run: Run, option: list[str]) -> None:
    assert CliRunner().invoke(app, ["check", __file__, *option]).exit_code == 2


def test_without_the_services_the_cure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "packshot.cli.local", raising=False)
    for name in [name for name in sys.modules if name == "services" or name.startswith("services.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_NoServices(), *sys.meta_path])
    result = CliRunner().invoke(app, ["check", __file__])
    assert result.exit_code == 2
    assert "pip install 'packshot[all]'" in result.stderr
    assert "--server HOST:PORT" in result.stderr


class _NoServices:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "services":
            raise ModuleNotFoundError("No module named 'services'", name="services")
