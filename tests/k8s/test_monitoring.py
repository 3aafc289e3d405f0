"""The cluster watches what deploy/monitoring says, and scrapes all that has metrics."""

import yaml

from tests.helpers.manifests import find, of_kind, rendered
from tools.k8s import K8S
from tools.prometheus_rule import RULES

MANIFESTS = rendered(K8S / "tests" / "everything-inside")


def test_alerts_are_those_that_promtool_tests() -> None:
    rule = find(MANIFESTS, "PrometheusRule", "packshot")
    assert rule["spec"] == yaml.safe_load(RULES.read_text()), "run `python -m tools.prometheus_rule`"


def test_all_pods_with_metrics_are_scraped() -> None:
    monitor = find(MANIFESTS, "PodMonitor", "packshot")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    for deployment in of_kind(MANIFESTS, "Deployment"):
        template = deployment["spec"]["template"]
        assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert endpoint["port"] in {port["name"] for port in template["spec"]["containers"][0]["ports"]}
