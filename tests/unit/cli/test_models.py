import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.local import CATALOGUE, Checkpoint
from packshot.cli.main import app
from tests.helpers.file_server import FileServer
from tests.helpers.waiting import wait_until

CONTENT = b"weights " * 100_000


@pytest.fixture
def server() -> Iterator[FileServer]:
    server = FileServer(CONTENT)
    with server.running():
        yield server


@pytest.fixture
def tiny(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A model published at the server, in the catalogue as "tiny"."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    row = Checkpoint("tiny", 320, "tiny.onnx", hashlib.sha256(CONTENT).hexdigest(), server.url, len(CONTENT), "MIT")
    monkeypatch.setitem(CATALOGUE, "tiny", row)
    return row


def models(*arguments: str, folder: Path) -> Any:
    return CliRunner().invoke(app, ["models", *arguments, "--models-dir", str(folder)])


def states(result: Any) -> dict[str, str]:
    return {model["name"]: model["state"] for model in json.loads(result.stdout)["models"]}


class TestList:
    def test_says_licence_size_input_and_state(self, tiny: Checkpoint, tmp_path: Path) -> None:
        (tmp_path / "u2net.onnx").touch()
        lines = models("list", folder=tmp_path).stdout.splitlines()
        (u2netp,) = [line for line in lines if line.startswith(" u2netp ")]
        assert all(words in u2netp for words in ("Apache-2.0", "4.6 MB", "320 × 320", "missing"))
        (u2net,) = [line for line in lines if line.startswith(" u2net ")]
        assert "present" in u2net

    def test_marks_what_is_not_for_commercial_use(self, tmp_path: Path) -> None:
        text = models("list", folder=tmp_path).stdout
        assert "CC-BY-NC-4.0 *" in text
        assert "* not for commercial use" in text

    def test_as_json(self, tiny: Checkpoint, tmp_path: Path) -> None:
        result = models("list", "--json", folder=tmp_path)
        assert json.loads(result.stdout)["models"][-1] == {
            "name": "tiny",
            "file": str(tmp_path / "tiny.onnx"),
            "licence": "MIT",
            "commercial_use": True,
            "size_bytes": len(CONTENT),
            "input_side_px": 320,
            "sha256": tiny.sha256,
            "url": tiny.url,
            "state": "missing",
        }


class TestFetch:
    def test_brings_the_file_once(self, tiny: Checkpoint, server: FileServer, tmp_path: Path) -> None:
        first, second = (models("fetch", "tiny", folder=tmp_path / "new") for _ in range(2))
        assert first.exit_code == second.exit_code == 0
        assert "tiny: 800.0 kB in" in first.stdout
        assert "SHA-256 as published; MIT" in first.stdout
        assert "here already" in second.stdout
        assert len(server.requests) == 1
        assert (tmp_path / "new/tiny.onnx").read_bytes() == CONTENT

    def test_a_failure_names_cause_and_cure_and_the_others_are_fetched(
        self, tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = FileServer(CONTENT)
        with gone.running():
            pass
        monkeypatch.setitem(CATALOGUE, "gone", replace(tiny, name="gone", weights_file="gone.onnx", url=gone.url))
        result = models("fetch", "gone", "tiny", folder=tmp_path)
        assert result.exit_code == 1
        assert "✗ gone: 127.0.0.1 cannot be reached" in result.stderr
        assert "→ Is this machine online?" in result.stderr
        assert {path.name for path in tmp_path.iterdir()} == {"tiny.onnx"}

    def test_a_file_that_is_not_the_published_one_is_replaced_by_force_only(
        self, tiny: Checkpoint, tmp_path: Path
    ) -> None:
        file = tmp_path / "tiny.onnx"
        file.write_bytes(b"my own training")
        refused = models("fetch", "tiny", folder=tmp_path)
        assert refused.exit_code == 1
        assert "--force" in refused.stderr
        assert file.read_bytes() == b"my own training"
        assert models("fetch", "tiny", "--force", folder=tmp_path).exit_code == 0
        assert file.read_bytes() == CONTENT

    def test_a_licence_against_commercial_use_must_be_accepted(
        self, tiny: Checkpoint, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = replace(tiny, name="art", weights_file="art.onnx", licence="CC-BY-NC-4.0", commercial_use=False)
        monkeypatch.setitem(CATALOGUE, "art", row)
        refused = models("fetch", "tiny", "art", folder=tmp_path)
        assert refused.exit_code == 2
        assert "art: its licence, CC-BY-NC-4.0, forbids commercial use" in refused.stderr
        assert "--accept-non-commercial" in refused.stderr
        assert server.requests == []
        assert models("fetch", "art", "--accept-non-commercial", folder=tmp_path).exit_code == 0

    def test_an_unknown_name_lists_the_known_ones(self, tmp_path: Path) -> None:
        result = models("fetch", "u2nett", folder=tmp_path)
        assert result.exit_code == 2
        assert "unknown model 'u2nett'; known models: " in result.stderr
        assert "u2netp" in result.stderr

    def test_what_ships_needs_no_fetching(
        self, tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(CATALOGUE, "ours", replace(tiny, name="ours", url=None))
        result = models("fetch", "ours", folder=tmp_path)
        assert result.exit_code == 0
        assert "ours ships with Packshot" in result.stdout

    def test_ctrl_c_keeps_what_came_and_says_how_to_go_on(
        self, tiny: Checkpoint, server: FileServer, tmp_path: Path
    ) -> None:
        server.stall_after = 300_000
        program = (
            "from packshot.cli.local import CATALOGUE, Checkpoint; from packshot.cli.main import main;"
            f"CATALOGUE['tiny'] = {tiny!r}; main()"
        )
        command = [sys.executable, "-c", program, "models", "fetch", "tiny", "--models-dir", str(tmp_path)]
        process = subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: process.poll() is not None or (tmp_path / "tiny.onnx.part.etag").exists())
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 130
        assert stderr.endswith("of tiny are kept\n  → `packshot models fetch tiny` goes on from there.\n")
        assert (tmp_path / "tiny.onnx.part").exists()


class TestVerify:
    def test_says_ok_or_wrong(self, tiny: Checkpoint, tmp_path: Path) -> None:
        file = tmp_path / "tiny.onnx"
        file.write_bytes(CONTENT)
        right = models("verify", "tiny", "--json", folder=tmp_path)
        assert (right.exit_code, states(right)) == (0, {"tiny": "ok"})
        file.write_bytes(CONTENT.replace(b"w", b"W", 1))
        wrong = models("verify", "tiny", "--json", folder=tmp_path)
        assert (wrong.exit_code, states(wrong)) == (1, {"tiny": "wrong"})
        assert f"{file} is not the published file" in wrong.stderr
        assert "packshot models fetch tiny --force" in wrong.stderr

    def test_without_names_looks_at_what_is_here(self, tiny: Checkpoint, tmp_path: Path) -> None:
        (tmp_path / "u2netp.onnx").write_bytes(b"cut off")
        (tmp_path / "tiny.onnx").write_bytes(CONTENT)
        result = models("verify", "--json", folder=tmp_path)
        assert result.exit_code == 1
        assert states(result) | {"u2netp": "wrong", "tiny": "ok"} == states(result)
        assert "u2net" not in states(result)

    def test_a_named_one_that_is_missing(self, tiny: Checkpoint, tmp_path: Path) -> None:
        result = models("verify", "tiny", folder=tmp_path)
        assert result.exit_code == 1
        assert "missing" in result.stdout

    def test_a_digest_nobody_has_published(
        self, tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(CATALOGUE, "tiny", replace(tiny, sha256=None))
        (tmp_path / "tiny.onnx").write_bytes(CONTENT)
        result = models("verify", "tiny", folder=tmp_path)
        assert result.exit_code == 0
        assert "unknown digest" in result.stdout
