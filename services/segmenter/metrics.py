"""The segmenter's metrics for Prometheus; docs/observability.md lists them with those of every service."""

from typing import Final

from prometheus_client import Gauge, Histogram

from services.common.telemetry.metrics import SECONDS

MODEL_INFO: Final = Gauge(
    "packshot_model_info", "What finds products here, and the SHA-256 of its weights; always 1", ("model", "digest")
)
TRITON_DURATION: Final = Histogram(
    "packshot_triton_request_duration_seconds",
    "Duration of a model's runs on Triton as the segmenter sees them, with network and queue",
    ("model", "outcome"),
    buckets=SECONDS,
)
TRITON_IN_FLIGHT: Final = Gauge("packshot_triton_in_flight", "Runs that Triton has not answered yet", ("model",))
