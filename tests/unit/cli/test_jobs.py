import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from packshot.client import PackshotClient
from packshot.v1 import jobs_pb2 as pb
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs
from tests.unit.cli.conftest import Run


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def job_id(gateway: ScriptedJobs) -> str:
    """A job of a good, an odd and a bad item."""
    return "job_" + f"{1:032x}"


@pytest.fixture
def run(gateway: ScriptedJobs) -> Iterator[Run]:
    """Runs `packshot jobs ARGUMENTS`."""
    with serving_jobs(gateway) as address:
        with PackshotClient(address) as client:
            client.jobs.create(catalogue=b"sku,image_url\nmug,\nodd-cup,\nbad-pot,\n", label="spring")

        def run(*arguments: str) -> Any:
            return CliRunner().invoke(app, ["jobs", *arguments, "--server", address])

        yield run


def test_list(run: Run, job_id: str) -> None:
    said = run("list").stdout
    for word in (job_id, "completed", "3 of 3", "1 publish, 1 review, 1 failed", "spring"):
        assert word in said
    assert run("list", "--state", "running").stdout == "no jobs\n"
    assert [job["job_id"] for job in json.loads(run("list", "--json").stdout)["jobs"]] == [job_id]
    assert run("list", "--state", "done").exit_code == 2


def test_show(run: Run, job_id: str) -> None:
    assert "priority     5" in run("show", job_id).stdout
    document = json.loads(run("show", job_id, "--json").stdout)
    assert (document["state"], document["counts"]["total"]) == ("completed", 3)


def test_unknown_jobs_are_named(run: Run) -> None:
    result = run("show", "job_" + "f" * 32)
    assert result.exit_code == 2
    assert "no job job_f" in result.stderr


def test_watch(run: Run, job_id: str) -> None:
    lines = run("watch", job_id).stdout.splitlines()
    assert len(lines) == 5
    assert "item failed: bad-pot (no image_url); 3 of 3 done" in lines[3]
    events = [json.loads(line) for line in run("watch", job_id, "--after", "3", "--json").stdout.splitlines()]
    assert [(event["sequence"], event["type"]) for event in events] == [(4, "item_failed"), (5, "completed")]


def test_items(run: Run, job_id: str) -> None:
    said = run("items", job_id, "--state", "failed").stdout
    assert "4-bad-pot" in said
    assert "no image_url" in said
    assert "mug" not in said
    assert len(json.loads(run("items", job_id, "--json", "--limit", "2").stdout)["items"]) == 2


def test_cancel_and_retry(run: Run, job_id: str, gateway: ScriptedJobs) -> None:
    assert run("retry", job_id, "--item", "4-bad-pot").stdout == "1 item queued again\n"
    assert "0 items cancelled" in run("cancel", job_id).stdout


def test_results(run: Run, job_id: str, tmp_path: Path) -> None:
    assert run("results", job_id).stdout == "RESULTS_FORMAT_CSV\nmug\nodd-cup\nbad-pot\n"
    run("results", job_id, "--format", "json_lines", "-o", str(tmp_path / "results.jsonl"))
    assert (tmp_path / "results.jsonl").read_bytes().startswith(b"RESULTS_FORMAT_JSON_LINES\n")


def test_dead_letters(run: Run, job_id: str, gateway: ScriptedJobs) -> None:
    item = pb.JobItem(item_key="2-mug")
    gateway.dead_letters = [
        pb.DeadLetter(dead_letter_id="dl_1", job_id=job_id, item=item, reason="STAGE_DIED", attempts=5)
    ]
    said = run("dlq", "list").stdout
    for word in ("dl_1", job_id, "2-mug", "5", "STAGE_DIED"):
        assert word in said
    assert len(json.loads(run("dlq", "list", "--job", job_id, "--json").stdout)["dead_letters"]) == 1
    assert run("dlq", "requeue", "dl_1").stdout == "1 item queued again\n"
    assert run("dlq", "requeue", "--all").stdout == "1 item queued again\n"
    assert run("dlq", "requeue").exit_code == 2


def test_without_a_gateway() -> None:
    result = CliRunner().invoke(app, ["jobs", "list"], env={"PACKSHOT_SERVER": None})
    assert result.exit_code == 2
    assert "packshot serve --data-dir DIR" in result.stderr
