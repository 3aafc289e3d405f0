import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from packshot.cli.main import app
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, LayoutOptions, ProcessOptions
from tests.helpers.scripted_jobs import ScriptedJobs, serving_jobs
from tests.helpers.waiting import wait_until
from tests.unit.cli.conftest import Run


@pytest.fixture
def gateway() -> ScriptedJobs:
    return ScriptedJobs()


@pytest.fixture
def address(gateway: ScriptedJobs) -> Iterator[str]:
    with serving_jobs(gateway) as address:
        yield address


@pytest.fixture
def run(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `packshot bulk ARGUMENTS -o out` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    catalogue("mug", "cup", "pot", "jar", "pan")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["bulk", *arguments, "-o", "out", "--server", address])

    return run


def catalogue(*skus: str) -> None:
    lines = ["sku,image_url", *(f"{sku},https://shop.example/{sku}.jpg" for sku in skus)]
    Path("catalogue.csv").write_text("\n".join(lines) + "\n")


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("out").iterdir() if path.suffix == ".jpg"}


class TestCatalogue:
    def test_packshots_and_tables_by_sku(self, run: Run) -> None:
        result = run("catalogue.csv")
        assert result.exit_code == 0, result.output
        assert files() == {f"{sku}.jpg": b"packshot of " + sku.encode() for sku in ("mug", "cup", "pot", "jar", "pan")}
        assert Path("out/results.csv").read_bytes().startswith(b"RESULTS_FORMAT_CSV\nmug\n")
        assert Path("out/results.jsonl").read_bytes().startswith(b"RESULTS_FORMAT_JSON_LINES\nmug\n")
        assert "5 items: 5 publish; 5 files written to out, with results.csv and results.jsonl" in result.stdout

    def test_two_items_of_one_sku(self, run: Run) -> None:
        catalogue("mug", "MUG", "a/b")
        run("catalogue.csv")
        assert set(files()) == {"mug.jpg", "MUG-2.jpg", "a_b.jpg"}

    def test_several_marketplaces_are_in_the_names(self, run: Run) -> None:
        catalogue("mug")
        run("catalogue.csv", "-m", "amazon-us", "-m", "amazon-de")
        assert set(files()) == {"mug.amazon-us.jpg", "mug.amazon-de.jpg"}

    def test_options_reach_the_job(self, run: Run, gateway: ScriptedJobs) -> None:
        options = ["-m", "amazon-de", "-c", "toys", "--fill", "0.9", "--priority", "2", "--label", "spring"]
        run("catalogue.csv", *options, "--webhook", "https://shop.example/wh")
        request = gateway.requests[0]
        assert request.options == ProcessOptions(
            marketplaces=["amazon-de"], category="toys", outputs=[OUTPUT_JPEG], layout=LayoutOptions(fill_ratio=0.9)
        )
        assert (request.priority, request.label, request.webhook_url) == (2, "spring", "https://shop.example/wh")

    def test_by_its_url(self, run: Run, gateway: ScriptedJobs) -> None:
        run("https://shop.example/export.csv")
        assert gateway.requests[0].catalogue_url == "https://shop.example/export.csv"

    @pytest.mark.parametrize(
        ("name", "content", "problem"),
        [("gone.csv", None, "gone.csv cannot be read: no such file"), ("empty.csv", b"", "empty.csv is empty")],
    )
    def test_that_cannot_be_sent(self, run: Run, name: str, content: bytes | None, problem: str) -> None:
        if content is not None:
            Path(name).write_bytes(content)
        result = run(name)
        assert result.exit_code == 2
        assert problem in result.stderr
        assert not Path("out").exists()

    def test_and_something_else_are_two_jobs(self, run: Run) -> None:
        result = run("catalogue.csv", "mug.jpg")
        assert result.exit_code == 2
        assert "is a catalogue, and not all that was named" in result.stderr


class TestPhotos:
    @pytest.fixture
    def photos(self, run: Run) -> None:
        Path("photos").mkdir()
        for name in ("mug", "cup", "tasse für Öl"):
            Path(f"photos/{name}.jpg").write_bytes(name.encode())

    def test_are_uploaded(self, run: Run, photos: None, gateway: ScriptedJobs) -> None:
        assert run("photos").exit_code == 0
        assert sorted(gateway.uploads) == ["cup", "mug", "tasse f_r _l"]
        assert files()["mug.jpg"] == b"packshot of mug"
        assert "tasse für Öl.jpg" in files()

    def test_an_upload_goes_on_where_it_broke(self, run: Run, photos: None, gateway: ScriptedJobs) -> None:
        gateway.break_upload_after = 2
        assert run("photos").exit_code == 0
        assert len(gateway.uploads) == len(set(gateway.uploads)) == 3

    def test_beside_the_results_are_refused(self, run: Run, photos: None) -> None:
        result = CliRunner().invoke(app, ["bulk", "photos", "-o", "photos", "--force", "--server", "localhost:1"])
        assert result.exit_code == 2
        assert "could be overwritten" in result.stderr


class TestExitCode:
    @pytest.mark.parametrize("sku", ["odd-mug", "bad-mug"])
    def test_is_1_when_an_item_needs_a_look_or_failed(self, run: Run, sku: str) -> None:
        catalogue("mug", sku)
        assert run("catalogue.csv").exit_code == 1

    def test_failed_items_are_named_with_their_line(self, run: Run) -> None:
        catalogue("mug", "bad-mug")
        result = run("catalogue.csv")
        assert "line 3 (bad-mug): no image_url" in result.stderr
        assert set(files()) == {"mug.jpg"}

    def test_a_review_says_how_to_decide(self, run: Run, gateway: ScriptedJobs) -> None:
        catalogue("odd-mug")
        assert f"packshot reviews list --job {next(iter(gateway.jobs), 'job_')}" in run("catalogue.csv").stdout

    def test_is_2_when_a_file_does_not_come_whole(self, run: Run, gateway: ScriptedJobs) -> None:
        gateway.wrong_digests = True
        result = run("catalogue.csv")
        assert result.exit_code == 2
        assert files() == {}
        assert "bytes with sha256:" in result.stderr

    def test_is_2_without_a_server_and_without_nats(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda name, path: None)
        result = CliRunner().invoke(app, ["bulk", "catalogue.csv", "-o", "out"], env={"PACKSHOT_SERVER": None})
        assert result.exit_code == 2
        assert "nats-server is not installed" in result.stderr
        assert "--server HOST:PORT; `packshot serve`" in result.stderr

    def test_is_2_when_nobody_answers(self, run: Run) -> None:
        result = CliRunner().invoke(app, ["bulk", "catalogue.csv", "-o", "out", "--server", "127.0.0.1:1"])
        assert result.exit_code == 2
        assert "no answer from 127.0.0.1:1" in result.stderr


class TestAgain:
    def test_a_finished_job_is_left_as_it_is(self, run: Run, gateway: ScriptedJobs) -> None:
        run("catalogue.csv")
        table = Path("out/results.csv").stat().st_mtime_ns
        result = run("catalogue.csv")
        assert result.exit_code == 0
        assert "Nothing to do: " in result.stdout
        assert (len(gateway.jobs), len(gateway.downloads)) == (1, 5)
        assert Path("out/results.csv").stat().st_mtime_ns == table

    def test_only_files_that_are_missing_or_damaged_are_downloaded(self, run: Run, gateway: ScriptedJobs) -> None:
        run("catalogue.csv")
        gateway.downloads.clear()
        Path("out/cup.jpg").unlink()
        Path("out/jar.jpg").write_bytes(b"packshot of jug")
        result = run("catalogue.csv")
        assert sorted(gateway.downloads) == ["3-cup", "5-jar"]
        assert files()["jar.jpg"] == b"packshot of jar"
        assert "2 files written to out (3 were there before)" in result.stdout

    def test_the_connection_may_break_in_between(self, run: Run, gateway: ScriptedJobs) -> None:
        gateway.break_watch_after = 3
        assert run("catalogue.csv").exit_code == 0
        assert len(files()) == 5

    def test_other_options_are_another_job(self, run: Run, gateway: ScriptedJobs) -> None:
        run("catalogue.csv")
        result = run("catalogue.csv", "--fill", "0.9")
        assert result.exit_code == 2
        assert "belongs to a job of something else, or with other options: job_" in result.stderr
        assert run("catalogue.csv", "--fill", "0.9", "--force").exit_code == 0
        assert len(gateway.jobs) == 2

    def test_force_makes_a_new_job_of_the_same(self, run: Run, gateway: ScriptedJobs) -> None:
        run("catalogue.csv")
        run("catalogue.csv", "--force")
        run("catalogue.csv")
        assert len(gateway.jobs) == 2

    def test_a_folder_of_something_else_is_not_written_into(self, run: Run) -> None:
        Path("out").mkdir()
        Path("out/mug.jpg").write_bytes(b"mine")
        result = run("catalogue.csv")
        assert result.exit_code == 2
        assert "out is not empty" in result.stderr
        assert files() == {"mug.jpg": b"mine"}

    def test_a_gateway_that_knows_nothing_of_the_job_makes_it_anew(self, run: Run, gateway: ScriptedJobs) -> None:
        run("catalogue.csv")
        gateway.jobs.clear()
        assert run("catalogue.csv").exit_code == 0
        assert len(gateway.jobs) == 1

    def test_retry_has_failed_items_done_again(self, run: Run, gateway: ScriptedJobs) -> None:
        catalogue("mug", "bad-mug")
        run("catalogue.csv")
        gateway.downloads.clear()
        assert run("catalogue.csv", "--retry").exit_code == 1
        assert gateway.calls["RetryJobItems"] == 1
        assert gateway.downloads == []

    def test_a_record_that_says_nothing(self, run: Run) -> None:
        Path("out").mkdir()
        Path("out/.packshot-job.json").write_text("{}")
        result = run("catalogue.csv")
        assert result.exit_code == 2
        assert "does not say which job" in result.stderr


class TestStopped:
    @pytest.fixture
    def process(self, run: Run, gateway: ScriptedJobs, address: str) -> "subprocess.Popen[str]":
        """Two of five items have ended and their packshots are there."""
        gateway.held = True
        command = [sys.executable, "-m", "packshot.cli.main", "bulk", "catalogue.csv", "-o", "out", "--server", address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: gateway.calls["WatchJob"] == 1, 30)
        gateway.work(2)
        wait_until(lambda: len(files()) == 2, 30)
        return process

    def test_sigkill_and_the_same_command_fetches_only_the_rest(
        self, run: Run, gateway: ScriptedJobs, process: "subprocess.Popen[str]"
    ) -> None:
        process.kill()
        process.communicate()
        gateway.work()
        result = run("catalogue.csv")
        assert result.exit_code == 0
        assert sorted(gateway.downloads) == ["2-mug", "3-cup", "4-pot", "5-jar", "6-pan"]
        assert len(gateway.jobs) == 1
        assert "3 files written to out (2 were there before)" in result.stdout

    def test_ctrl_c_says_how_to_go_on(self, gateway: ScriptedJobs, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        job_id = next(iter(gateway.jobs))
        assert process.returncode == 130
        assert f"stopped following {job_id}; it goes on at 127.0.0.1:" in said
        assert f"packshot jobs cancel {job_id}" in said
        assert "Traceback" not in said


class TestJson:
    def test_is_one_document(self, run: Run, gateway: ScriptedJobs) -> None:
        catalogue("mug", "bad-mug")
        document = json.loads(run("catalogue.csv", "--json").stdout)
        assert document["job_id"] == next(iter(gateway.jobs))
        assert document["state"] == "completed"
        assert (document["counts"]["total"], document["counts"]["publish"], document["counts"]["failed"]) == (2, 1, 1)
        assert document["files"] == {"downloaded": 1, "there_before": 0, "failed": 0}
        assert document["results"] == ["out/results.csv", "out/results.jsonl"]
