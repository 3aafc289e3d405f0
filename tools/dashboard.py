"""Makes Grafana's dashboard.json of dashboard.yaml, in deploy/monitoring: `python -m tools.dashboard`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parents[1] / "deploy" / "monitoring"

_WIDTH: Final = 24
_HEIGHT: Final = 7
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What Grafana imports: each row's panels in three columns, or in two where that leaves no gap."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        title = {"type": "row", "title": row["title"], "collapsed": False, "panels": []}
        panels.append({**title, "id": len(panels) + 1, "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1}})
        columns = 3 if len(row["panels"]) % 3 == 0 else 2
        width = _WIDTH // columns
        for number, panel in enumerate(row["panels"]):
            line, column = divmod(number, columns)
            place = {"x": column * width, "y": top + 1 + line * _HEIGHT, "w": width, "h": _HEIGHT}
            panels.append({**_panel(panel), "id": len(panels) + 1, "gridPos": place})
        top += 1 + -(-len(row["panels"]) // columns) * _HEIGHT
    return {
        "uid": "packshot",
        "title": "Packshot",
        "tags": ["packshot"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(panel: Mapping[str, Any]) -> dict[str, Any]:
    is_table = panel.get("table", False)
    targets = [
        {
            "refId": chr(ord("A") + number),
            "datasource": _SOURCE,
            "expr": expression,
            "legendFormat": legend,
            **({"instant": True, "format": "table"} if is_table else {}),
        }
        for number, (legend, expression) in enumerate(panel["queries"].items())
    ]
    return {
        "type": "table" if is_table else "timeseries",
        "title": panel["title"],
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel["unit"]}, "overrides": []},
        "targets": targets,
    }


def as_json() -> str:
    """The content of dashboard.json."""
    rows = yaml.safe_load((FOLDER / "dashboard.yaml").read_text(encoding="utf-8"))["rows"]
    return json.dumps(dashboard(rows), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (FOLDER / "dashboard.json").write_text(as_json(), encoding="utf-8")
