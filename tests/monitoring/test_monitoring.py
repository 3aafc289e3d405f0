"""Dashboard and alerts speak of metrics that exist, in PromQL that Prometheus reads, and alerts do as they say."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

# Importing them defines their metrics.
from services.common.telemetry import metrics as common_metrics
from services.gateway import metrics as gateway_metrics
from services.segmenter import metrics as segmenter_metrics
from services.validator import metrics as validator_metrics
from tools import dashboard

DEFINED_IN: Final = (common_metrics, gateway_metrics, segmenter_metrics, validator_metrics)
ALERTS: Final = dashboard.FOLDER / "alerts.yaml"
DOCS: Final = dashboard.FOLDER.parents[1] / "docs" / "observability.md"
TRITONS: Final = {  # Triton Inference Server, "Metrics"
    "nv_inference_queue_duration_us",
    "nv_inference_request_success",
    "nv_gpu_utilization",
}
_NAME: Final = re.compile(r"\b(?:packshot|process|nv)_[a-z0-9_]+")

needs_promtool: Final = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is missing: apt-get install --no-install-recommends prometheus",
)


def defined() -> set[str]:
    """Every series this code can show."""
    families = [family for family in REGISTRY.collect() if family.name.startswith(("packshot_", "process_"))]
    ends = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    return {family.name + end for family in families for end in ends[family.type]}


def queries(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.fixture
def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dashboard.FOLDER / "dashboard.json").read_text())
    return found


class TestDashboard:
    def test_it_is_the_one_that_its_description_makes(self) -> None:
        made = (dashboard.FOLDER / "dashboard.json").read_text()
        assert made == dashboard.as_json(), "run `python -m tools.dashboard`"

    def test_every_metric_it_asks_for_exists(self, board: dict[str, Any]) -> None:
        asked = {name for query in queries(board) for name in _NAME.findall(query)}
        assert asked - defined() - TRITONS == set()

    def test_every_metric_of_ours_is_shown(self, board: dict[str, Any]) -> None:
        text = " ".join(queries(board))
        ours = {family.name for family in REGISTRY.collect() if family.name.startswith("packshot_")}
        assert {name for name in ours if name not in text} == set()

    def test_panels_have_ids_and_places_of_their_own(self, board: dict[str, Any]) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in [place["y"]]}
            assert not taken & cells, panel["title"]
            taken |= cells
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])

    @needs_promtool
    def test_prometheus_reads_every_query(self, board: dict[str, Any], tmp_path: Path) -> None:
        rules = [
            {"record": f"query:{number}", "expr": re.sub(r"\$__(rate_)?interval", "5m", query)}
            for number, query in enumerate(queries(board))
        ]
        file = tmp_path / "queries.yaml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


class TestAlerts:
    def test_every_metric_they_watch_exists(self) -> None:
        watched = {name for rule in alerts().values() for name in _NAME.findall(rule["expr"])}
        assert watched - defined() - TRITONS == set()

    def test_what_to_do_about_each_is_written_down(self) -> None:
        text = DOCS.read_text()
        assert [name for name in alerts() if f"`{name}`" not in text] == []

    def test_each_has_a_test_of_its_own(self) -> None:
        tests = (dashboard.FOLDER / "alerts.test.yaml").read_text()
        assert [name for name in alerts() if f"alertname: {name}\n" not in tests] == []

    @needs_promtool
    def test_they_do_as_they_say(self) -> None:
        command = ["promtool", "test", "rules", str(dashboard.FOLDER / "alerts.test.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_names_and_helps_are_as_prometheus_wants_them() -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=generate_latest(), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_metric_of_ours_is_written_down() -> None:
    text = DOCS.read_text()
    names = {name.removesuffix("_bucket") for name in defined() if name.startswith("packshot_")}
    names = {name for name in names if not name.endswith(("_count", "_sum"))}
    assert {name for name in names if f"`{name}`" not in text} == set()
