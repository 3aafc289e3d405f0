import json
from pathlib import Path

from packshot.v1.image_pb2 import BoundingBox
from packshot.v1.report_pb2 import RESOLUTION_MANUAL
from tests.helpers.scripted_gateway import ScriptedGateway, make_report
from tests.unit.cli.conftest import Run


def test_writes_a_png_per_photo(run: Run, photos: Path) -> None:
    result = run("cutout", "photos/mug.jpg", "photos/box.jpg", "-o", "out")
    assert result.exit_code == 0
    assert (photos.parent / "out/mug.png").read_bytes() == b"cutout of mug"
    assert (photos.parent / "out/box.png").read_bytes() == b"cutout of box"
    assert "2 photos: 2 cutouts written to out" in result.stdout


def test_one_bad_photo_does_not_stop_the_others(run: Run, photos: Path) -> None:
    result = run("cutout", "photos", "-o", "out")
    assert result.exit_code == 2
    assert "4 photos: 3 cutouts written to out, 1 failed" in result.stdout
    assert "photos/notes.jpg: the bytes are no image" in result.stderr


def test_options_reach_the_gateway(run: Run, photos: Path, gateway: ScriptedGateway) -> None:
    run("cutout", "photos/mug.jpg", "-o", "out", "--keep-background", "--roi", "5,6,70,80")
    (request,) = gateway.requests
    assert request.keep_background
    assert request.region_of_interest == BoundingBox(x=5, y=6, width=70, height=80)


def test_a_png_photo_is_not_overwritten_by_its_cutout(run: Run, photos: Path) -> None:
    (photos / "ring.png").write_bytes(b"ring")
    result = run("cutout", "photos/ring.png", "-o", "photos", "--force")
    assert result.exit_code == 2
    assert (photos / "ring.png").read_bytes() == b"ring"


def test_says_what_was_noticed(run: Run, photos: Path, gateway: ScriptedGateway) -> None:
    report = make_report()
    report.findings.add(code="B", resolution=RESOLUTION_MANUAL, message="a stand is left", action="retouch it")
    gateway.outcomes = {b"mug": report}
    assert "! a stand is left: retouch it" in run("cutout", "photos/mug.jpg", "-o", "out").stdout
    document = json.loads(run("cutout", "photos/mug.jpg", "-o", "json", "--json").stdout)
    assert document["photos"][0]["findings"][0]["resolution"] == "manual"


def test_json(run: Run, photos: Path) -> None:
    document = json.loads(run("cutout", "photos/mug.jpg", "photos/notes.jpg", "-o", "out", "--json").stdout)
    mug, notes = document["photos"]
    assert mug["files"] == ["out/mug.png"]
    assert mug["confidence"]["value"] == 0.93
    assert notes["files"] == []
    assert notes["error"]["reason"] == "PHOTO_NOT_AN_IMAGE"
    assert document["summary"] == {"cut_out": 1, "failed": 1}
