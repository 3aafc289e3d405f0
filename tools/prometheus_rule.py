"""Writes the cluster's alerts of deploy/monitoring/alerts.yaml: `python -m tools.prometheus_rule`.

The Prometheus operator wants rules inside an object of its own, promtool wants them outside, and kustomize cannot put a
file's content into an object.
"""

from pathlib import Path
from typing import Final

_DEPLOY: Final = Path(__file__).resolve().parents[1] / "deploy"
RULES: Final = _DEPLOY / "monitoring" / "alerts.yaml"
MANIFEST: Final = _DEPLOY / "k8s" / "components" / "monitoring" / "alerts.yaml"

_HEAD: Final = """\
# Made of deploy/monitoring/alerts.yaml by `python -m tools.prometheus_rule`; change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: packshot
spec:
"""


def manifest(rules: str) -> str:
    """The object with rules as Prometheus reads them; comments before the first group stay behind."""
    groups = rules[rules.index("groups:") :]
    return _HEAD + "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))


def main() -> None:
    MANIFEST.write_text(manifest(RULES.read_text()))


if __name__ == "__main__":
    main()
