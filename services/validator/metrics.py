"""The validator's metrics for Prometheus; docs/observability.md lists them with those of every service."""

from typing import Final

from prometheus_client import Gauge

RULE_PACK_INFO: Final = Gauge(
    "packshot_rule_pack_info", "The rules in force here; always 1", ("pack", "version", "hash")
)
