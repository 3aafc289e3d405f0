from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from packshot.v1.report_pb2 import VERDICT_REJECT, VERDICT_REVIEW
from services.common.errors import invalid_argument
from tests.helpers.scripted_gateway import ScriptedGateway, make_report, serving

Run = Callable[..., Any]


@pytest.fixture
def gateway() -> ScriptedGateway:
    """Photos are known by their bytes: b"box" needs a review, b"ring" is rejected, b"notes" is no image."""
    return ScriptedGateway(
        outcomes={
            b"box": make_report(VERDICT_REVIEW, compliant=False, confidence=0.61),
            b"ring": make_report(VERDICT_REJECT, confidence=0.2),
            b"notes": invalid_argument("photo", "PHOTO_NOT_AN_IMAGE", "the bytes are no image"),
        }
    )


@pytest.fixture
def run(gateway: ScriptedGateway) -> Iterator[Run]:
    """Runs `packshot ARGUMENTS --server <the scripted gateway>`."""
    with serving(gateway) as address:

        def run(*arguments: str, env: Mapping[str, str] | None = None) -> Any:
            return CliRunner().invoke(app, [*arguments, "--server", address], env=dict(env or {}))

        yield run


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with photos/{mug,box,ring,notes}.jpg."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("mug", "box", "ring", "notes"):
        (folder / f"{name}.jpg").write_bytes(name.encode())
    return folder
