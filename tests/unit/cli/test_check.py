import json
from pathlib import Path

import jsonschema
import pytest

import packshot.report
from tests.helpers.scripted_gateway import ScriptedGateway
from tests.unit.cli.conftest import Run

SCHEMA = json.loads(Path(packshot.report.__file__).with_name("report.schema.json").read_text())


@pytest.mark.parametrize(
    ("names", "exit_code"), [(["mug"], 0), (["mug", "ring"], 0), (["mug", "box"], 1), (["mug", "box", "notes"], 2)]
)
def test_exit_code(run: Run, photos: Path, names: list[str], exit_code: int) -> None:
    assert run("check", *(f"photos/{name}.jpg" for name in names)).exit_code == exit_code


def test_one_image_is_shown_with_every_rule(run: Run, photos: Path) -> None:
    text = run("check", "photos/box.jpg").stdout
    (rule,) = [line for line in text.splitlines() if "The background is pure white" in line]
    assert "0.62" in rule
    assert "≥ 0.99" in rule
    assert "Cut the product out again" in rule
    assert "1 image: 0 compliant, 1 not compliant" in text


def test_several_are_shown_with_what_to_do(run: Run, photos: Path) -> None:
    text = run("check", "photos").stdout
    assert "≥ 0.99" not in text
    assert "Cut the product out again" in text
    assert "4 images: 2 compliant, 1 not compliant, 1 failed" in text


def test_options_reach_the_gateway(run: Run, photos: Path, gateway: ScriptedGateway) -> None:
    run("check", "photos/mug.jpg", "-m", "amazon-us", "-m", "amazon-jp", "-c", "jewelry", "--as-of", "2027-01-31")
    (request,) = gateway.requests
    assert list(request.marketplaces) == ["amazon-us", "amazon-jp"]
    assert (request.category, request.as_of_date) == ("jewelry", "2027-01-31")


def test_nothing_is_written(run: Run, photos: Path) -> None:
    before = sorted(photos.parent.rglob("*"))
    run("check", "photos")
    assert sorted(photos.parent.rglob("*")) == before


def test_json(run: Run, photos: Path) -> None:
    document = json.loads(run("check", "photos", "--json").stdout)
    by_name = {Path(entry["image"]).stem: entry for entry in document["images"]}
    assert {name: entry["compliant"] for name, entry in by_name.items()} == {
        "mug": True,
        "ring": True,
        "box": False,
        "notes": None,
    }
    jsonschema.validate(by_name["box"]["reports"][0], SCHEMA)
    assert document["summary"] == {"compliant": 2, "not_compliant": 1, "failed": 1}
