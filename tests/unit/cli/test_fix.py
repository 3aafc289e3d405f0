import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

import packshot.report
from packshot.cli.main import app
from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.packshot_pb2 import (
    ARRANGEMENT_ARRANGE,
    OUTPUT_JPEG,
    OUTPUT_TRANSPARENT_PNG,
    SHADOW_SOFT,
    CanvasOptions,
    LayoutOptions,
    ProcessOptions,
)
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED, RESOLUTION_MANUAL, Report
from tests.helpers.scripted_gateway import ScriptedGateway, make_report, serving
from tests.helpers.waiting import wait_until
from tests.unit.cli.conftest import Run

SCHEMA = json.loads(Path(packshot.report.__file__).with_name("report.schema.json").read_text())


class TestExitCode:
    def test_is_0_when_all_can_be_published(self, run: Run, photos: Path) -> None:
        assert run("fix", "photos/mug.jpg", "-o", "out").exit_code == 0

    @pytest.mark.parametrize("name", ["box", "ring"])
    def test_is_1_when_one_needs_a_look_or_is_rejected(self, run: Run, photos: Path, name: str) -> None:
        assert run("fix", "photos/mug.jpg", f"photos/{name}.jpg", "-o", "out").exit_code == 1

    def test_is_2_when_one_failed(self, run: Run, photos: Path) -> None:
        assert run("fix", "photos", "-o", "out").exit_code == 2

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--fill", "1.5"],
            ["--fill", "0.9", "--margin", "0.1"],
            ["--size", "10x10"],
            ["--roi", "1,2,3"],
            ["--as-of", "soon"],
            ["--quality", "10"],
            ["--output", "gif"],
            ["--shadow", "long"],
            ["--unknown"],
        ],
    )
    def test_is_2_for_what_makes_no_sense(self, run: Run, photos: Path, wrong: list[str]) -> None:
        result = run("fix", "photos/mug.jpg", "-o", "out", *wrong)
        assert result.exit_code == 2
        assert not (photos.parent / "out").exists()


class TestFiles:
    def test_a_jpeg_by_the_photos_name(self, run: Run, photos: Path) -> None:
        run("fix", "photos/mug.jpg", "-o", "new/out")
        assert _files("new/out") == {"mug.jpg": b"OUTPUT_JPEG of mug"}

    def test_what_is_asked_for_per_marketplace(self, run: Run, photos: Path) -> None:
        outputs = [word for kind in ("jpeg", "png", "report") for word in ("--output", kind)]
        run("fix", "photos/mug.jpg", "-o", "out", "-m", "amazon-us", "-m", "amazon-de", "-m", "amazon-us", *outputs)
        assert _files("out") == {
            f"mug.{marketplace}{suffix}": f"OUTPUT_{kind} of mug".encode()
            for marketplace in ("amazon-us", "amazon-de")
            for suffix, kind in ((".jpg", "JPEG"), (".png", "TRANSPARENT_PNG"), (".report.json", "REPORT_JSON"))
        }

    def test_two_photos_of_one_name(self, run: Run, photos: Path) -> None:
        (photos / "mug.png").write_bytes(b"another mug")
        run("fix", "photos/mug.jpg", "photos/mug.png", "-o", "out")
        assert _files("out") == {"mug.jpg": b"OUTPUT_JPEG of mug", "mug-2.jpg": b"OUTPUT_JPEG of another mug"}

    def test_one_bad_photo_does_not_stop_the_others(self, run: Run, photos: Path) -> None:
        (photos / "locked.jpg").symlink_to("gone.jpg")
        result = run("fix", "photos", "-o", "out")
        assert set(_files("out")) == {"mug.jpg", "box.jpg", "ring.jpg"}
        assert "photos/notes.jpg: the bytes are no image" in result.stderr

    def test_existing_files_are_refused_before_any_work(self, run: Run, photos: Path, gateway: ScriptedGateway) -> None:
        out = photos.parent / "out"
        out.mkdir()
        (out / "mug.jpg").write_bytes(b"mine")
        (out / "ring.jpg").write_bytes(b"mine")
        result = run("fix", "photos", "-o", "out")
        assert result.exit_code == 2
        assert "out/mug.jpg exists already" in result.stderr
        assert "out/ring.jpg exists already" in result.stderr
        assert "--force" in result.stderr
        assert set(_files("out").values()) == {b"mine"}
        assert not gateway.requests

    def test_force_overwrites_results_but_never_photos(self, run: Run, photos: Path) -> None:
        run("fix", "photos/mug.jpg", "-o", "out")
        assert run("fix", "photos/mug.jpg", "-o", "out", "--force").exit_code == 0
        result = run("fix", "photos/mug.jpg", "-o", "photos", "--force")
        assert result.exit_code == 2
        assert "is one of the photos" in result.stderr
        assert (photos / "mug.jpg").read_bytes() == b"mug"

    def test_a_folder_that_cannot_be_made(self, run: Run, photos: Path) -> None:
        result = run("fix", "photos/mug.jpg", "-o", "photos/mug.jpg")
        assert result.exit_code == 2
        assert "a file of that name is in the way" in result.stderr


class TestDebug:
    NAMES = ("matte", "trimap", "foreground", "halo", "worst-edge")

    def test_five_pictures_by_the_photos_name_in_a_folder_of_their_own(self, run: Run, photos: Path) -> None:
        result = run("fix", "photos/mug.jpg", "-o", "out", "--debug", "deep/why")
        assert _files("deep/why") == {f"mug.{name}.png": f"{name} of mug".encode() for name in self.NAMES}
        assert set(_files("out")) == {"mug.jpg"}
        assert "1 file written to out, 5 debug pictures to deep/why" in result.stdout

    def test_carry_the_marketplace_when_there_are_several(self, run: Run, photos: Path) -> None:
        run("fix", "photos/mug.jpg", "-o", "out", "--debug", "why", "-m", "amazon-us", "-m", "amazon-de")
        assert set(_files("why")) == {f"mug.{where}.{name}.png" for where in ("amazon-us", "amazon-de")
                                      for name in self.NAMES}  # fmt: skip

    def test_are_not_asked_for_otherwise(self, run: Run, photos: Path, gateway: ScriptedGateway) -> None:
        run("fix", "photos/mug.jpg", "-o", "out")
        assert not gateway.requests[0].item.options.debug
        assert set(_files("out")) == {"mug.jpg"}

    def test_are_listed_in_the_document(self, run: Run, photos: Path) -> None:
        document = json.loads(run("fix", "photos/mug.jpg", "-o", "out", "--debug", "out", "--json").stdout)
        (made,) = document["photos"][0]["results"]
        assert made["files"] == ["out/mug.jpg"]
        assert made["debug_files"] == [f"out/mug.{name}.png" for name in self.NAMES]

    def test_existing_ones_are_refused_before_any_work(self, run: Run, photos: Path, gateway: ScriptedGateway) -> None:
        (photos.parent / "why").mkdir()
        (photos.parent / "why/mug.halo.png").write_bytes(b"mine")
        result = run("fix", "photos/mug.jpg", "-o", "out", "--debug", "why")
        assert result.exit_code == 2
        assert "why/mug.halo.png exists already" in result.stderr
        assert not gateway.requests
        assert run("fix", "photos/mug.jpg", "-o", "out", "--debug", "why", "--force").exit_code == 0

    def test_a_picture_and_a_result_of_one_name_are_refused(self, run: Run, photos: Path) -> None:
        (photos / "mug.matte.jpg").write_bytes(b"another mug")
        command = ("fix", "photos/mug.jpg", "photos/mug.matte.jpg", "-o", "out", "--output", "png", "--debug")
        result = run(*command, "out")
        assert result.exit_code == 2
        assert "two results would be named out/mug.matte.png" in result.stderr
        assert run(*command, "why").exit_code == 0

    def test_yesterdays_are_no_photos(self, run: Run, photos: Path) -> None:
        command = ("fix", "photos", "-r", "-o", "photos/out", "--debug", "photos/why", "--force")
        run(*command)
        assert "4 photos:" in run(*command).stdout

    def test_a_folder_that_cannot_be_made(self, run: Run, photos: Path) -> None:
        result = run("fix", "photos/mug.jpg", "-o", "out", "--debug", "photos/mug.jpg")
        assert result.exit_code == 2
        assert "Choose another one with --debug" in result.stderr


def test_options_reach_the_gateway(run: Run, photos: Path, gateway: ScriptedGateway) -> None:
    arguments = (
        "--debug why -c beauty --output png --output jpeg --size 1600x1200 --quality 90 --margin 0.1 --as-of 2026-02-03"
    )
    run("fix", "photos/mug.jpg", "-o", "out", "-m", "amazon-jp", "--roi", "1,2,30,40", *arguments.split())
    assert gateway.requests[0].item.options == ProcessOptions(
        marketplaces=["amazon-jp"],
        category="beauty",
        outputs=[OUTPUT_TRANSPARENT_PNG, OUTPUT_JPEG],
        region_of_interest=BoundingBox(x=1, y=2, width=30, height=40),
        layout=LayoutOptions(margin=0.1),
        canvas=CanvasOptions(width_px=1600, height_px=1200, jpeg_quality=90),
        as_of_date="2026-02-03",
        debug=True,
    )


def test_a_shadow_and_an_arrangement_are_asked_for_in_words(run: Run, photos: Path, gateway: ScriptedGateway) -> None:
    run("fix", "photos/mug.jpg", "-o", "out", "--shadow", "soft", "--arrange")
    assert gateway.requests[0].item.options == ProcessOptions(
        outputs=[OUTPUT_JPEG], shadow=SHADOW_SOFT, arrangement=ARRANGEMENT_ARRANGE
    )


class TestTable:
    def test_says_verdict_confidence_and_what_to_do(self, run: Run, photos: Path) -> None:
        lines = run("fix", "photos", "-o", "out").stdout.splitlines()
        (box,) = [line for line in lines if "box.jpg" in line]
        assert "review" in box
        assert "0.61" in box
        assert "no (1 rule)" in box
        assert "Cut the product out again" in box
        assert "4 photos: 1 publish, 1 review, 1 reject, 1 failed; 3 files written to out" in lines

    def test_is_in_the_order_of_the_photos(self, run: Run, photos: Path, gateway: ScriptedGateway) -> None:
        def slow() -> Report:
            time.sleep(0.3)
            return make_report()

        gateway.outcomes = {b"box": slow}
        text = run("fix", "photos", "-o", "out").stdout
        assert text.index("box.jpg") < text.index("mug.jpg") < text.index("ring.jpg")

    def test_names_marketplaces_only_when_there_are_several(self, run: Run, photos: Path) -> None:
        one = run("fix", "photos/mug.jpg", "-o", "one", "-m", "amazon-de").stdout
        two = run("fix", "photos/mug.jpg", "-o", "two", "-m", "amazon-de", "-m", "amazon-jp").stdout
        assert "Marketplace" not in one
        assert "amazon-de" in two
        assert "amazon-jp" in two

    def test_says_how_many_rules_need_a_person(self, run: Run, photos: Path, gateway: ScriptedGateway) -> None:
        report = make_report()
        report.not_evaluated_count = 9
        gateway.outcomes = {b"mug": report}
        assert "9 more rules need a person's eye" in run("fix", "photos/mug.jpg", "-o", "out").stdout

    def test_says_what_was_noticed_with_what_to_do_or_that_it_was_mended(
        self, run: Run, photos: Path, gateway: ScriptedGateway
    ) -> None:
        report = make_report()
        report.findings.add(code="A", resolution=RESOLUTION_AUTO_CORRECTED, message="mirror image cut off")
        report.findings.add(code="B", resolution=RESOLUTION_MANUAL, message="a stand is left", action="retouch it")
        gateway.outcomes = {b"mug": report}
        text = run("fix", "photos/mug.jpg", "-o", "out").stdout
        assert text.index("! a stand is left: retouch it") < text.index("✓ mirror image cut off")

    def test_has_no_colours_in_a_pipe(self, run: Run, photos: Path) -> None:
        assert "\x1b" not in run("fix", "photos", "-o", "out").output

    @pytest.mark.parametrize(("no_color", "has_color"), [("", True), ("1", False)])
    def test_no_color_is_honoured(self, run: Run, photos: Path, no_color: str, has_color: bool) -> None:
        environment = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": no_color}
        result = run("fix", "photos/mug.jpg", "-o", "out", env=environment)
        assert ("\x1b[1;32m" in result.stdout) is has_color


class TestJson:
    def test_is_one_document_with_reports_by_the_schema(self, run: Run, photos: Path) -> None:
        result = run("fix", "photos", "-o", "out", "--json")
        document = json.loads(result.stdout)
        by_name = {entry["photo"]: entry for entry in document["photos"]}
        assert list(by_name) == ["photos/box.jpg", "photos/mug.jpg", "photos/notes.jpg", "photos/ring.jpg"]
        for name in ("box", "mug", "ring"):
            (made,) = by_name[f"photos/{name}.jpg"]["results"]
            jsonschema.validate(made["report"], SCHEMA)
            assert [Path(file).exists() for file in made["files"]] == [True]
        assert by_name["photos/notes.jpg"]["verdict"] == "failed"
        assert by_name["photos/notes.jpg"]["error"]["reason"] == "PHOTO_NOT_AN_IMAGE"
        assert document["summary"] == {"publish": 1, "review": 1, "reject": 1, "failed": 1}

    def test_errors_are_on_stderr_too(self, run: Run, photos: Path) -> None:
        assert "the bytes are no image" in run("fix", "photos/notes.jpg", "-o", "out", "--json").stderr


class TestServer:
    def test_nobody_there_is_said_once_with_the_cure(self, photos: Path) -> None:
        result = CliRunner().invoke(app, ["fix", "photos", "-o", "out", "--server", "127.0.0.1:1"])
        assert result.exit_code == 2
        assert result.stderr.count("no answer from 127.0.0.1:1 (Connection refused)") == 1
        assert "packshot serve" in result.stderr

    def test_the_key_comes_from_the_option_or_the_environment(
        self, run: Run, photos: Path, gateway: ScriptedGateway
    ) -> None:
        gateway.api_key = "secret"
        assert run("fix", "photos/mug.jpg", "-o", "a", "--api-key", "secret").exit_code == 0
        assert run("fix", "photos/mug.jpg", "-o", "b", env={"PACKSHOT_API_KEY": "secret\n"}).exit_code == 0
        refused = run("fix", "photos/mug.jpg", "-o", "c", "--api-key", "wrong")
        assert refused.exit_code == 2
        assert "PACKSHOT_API_KEY" in refused.stderr
        assert "Traceback" not in refused.stderr

    def test_the_address_comes_from_the_environment(self, photos: Path, gateway: ScriptedGateway) -> None:
        with serving(gateway) as address:
            command = ["fix", "photos/mug.jpg", "-o", "out"]
            assert CliRunner().invoke(app, command, env={"PACKSHOT_SERVER": address}).exit_code == 0

    def test_a_model_is_for_work_without_a_server(self, run: Run, photos: Path) -> None:
        result = run("fix", "photos/mug.jpg", "-o", "out", "--model", "u2netp")
        assert result.exit_code == 2
        assert "a gateway has its own models" in result.stderr

    def test_tls_needs_a_server(self, photos: Path) -> None:
        result = CliRunner().invoke(app, ["fix", "photos/mug.jpg", "-o", "out", "--tls"])
        assert result.exit_code == 2
        assert "--tls needs --server" in result.stderr


def test_ctrl_c_ends_it_and_leaves_only_whole_files(photos: Path, gateway: ScriptedGateway) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow() -> Report:
        asked.set()
        answered.wait(90)
        return make_report()

    gateway.outcomes = {b"mug": slow}
    with serving(gateway) as address:
        command = [sys.executable, "-m", "packshot.cli.main", "fix", "photos/mug.jpg", "photos/box.jpg", "-o", "out"]
        process = subprocess.Popen([*command, "--server", address], stderr=subprocess.PIPE, text=True)
        assert asked.wait(60)
        wait_until(lambda: Path("out/box.jpg").exists())
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        answered.set()
    assert process.returncode == 130
    assert stderr == "✗ interrupted; files already written are whole\n"
    assert set(_files("out")) == {"box.jpg"}


def _files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
