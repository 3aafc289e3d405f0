import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from packshot.client import PackshotClient
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.reviews_pb2 import RedoHints
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs
from tests.unit.cli.conftest import Run


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def run(gateway: ScriptedJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs `packshot reviews ARGUMENTS`; a mug waits."""
    monkeypatch.chdir(tmp_path)
    with serving_jobs(gateway) as address:
        with PackshotClient(address) as client:
            client.jobs.create(catalogue=b"sku,image_url\nodd-mug,\n")

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(app, ["reviews", *arguments, "--server", address])

        yield run


@pytest.fixture
def review_id(run: Run, gateway: ScriptedJobs) -> str:
    return next(iter(gateway.reviews))


def test_list(run: Run, review_id: str) -> None:
    said = run("list").stdout
    for word in (review_id, "odd-mug", "waiting", "review"):
        assert word in said
    assert run("list", "--state", "approved").stdout == "no reviews\n"
    assert [review["review_id"] for review in json.loads(run("list", "--json").stdout)["reviews"]] == [review_id]


def test_show_downloads_the_packshot_and_says_where(run: Run, review_id: str) -> None:
    said = run("show", review_id).stdout
    assert f"reviews/{review_id}.amazon-us.jpg" in said
    assert Path(f"reviews/{review_id}.amazon-us.jpg").read_bytes() == b"packshot of odd-mug"


@pytest.mark.parametrize(("command", "word"), [("approve", "approved"), ("reject", "rejected")])
def test_decisions_with_a_note(run: Run, review_id: str, command: str, word: str) -> None:
    assert run(command, review_id, "--note", "as agreed").stdout == f"odd-mug: {word}\n"
    assert f"{word} by k-1: as agreed" in run("show", review_id, "-o", "looked").stdout


def test_redo_with_hints(run: Run, review_id: str, gateway: ScriptedJobs) -> None:
    hints = ["--region", "1,2,30,40", "--include", "5,6", "--include", "7,8", "--exclude", "9,10", "-m", "amazon-jp"]
    assert run("redo", review_id, *hints).stdout == "odd-mug: redone\n"
    assert gateway.reviews[review_id].audit_trail[0].hints == RedoHints(
        region_of_interest=BoundingBox(x=1, y=2, width=30, height=40),
        points=[PointHint(x=x, y=y, include=include) for x, y, include in [(5, 6, True), (7, 8, True), (9, 10, False)]],
        marketplaces=["amazon-jp"],
    )


@pytest.mark.parametrize("hints", [[], ["--include", "5"], ["--exclude", "70000,1"], ["--region", "1,2,3"]])
def test_redo_without_a_hint_that_makes_sense(run: Run, review_id: str, hints: list[str]) -> None:
    assert run("redo", review_id, *hints).exit_code == 2
