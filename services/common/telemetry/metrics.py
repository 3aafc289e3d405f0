"""Metrics for Prometheus: those that every service has, and the HTTP server that shows all of this process.

Names follow Prometheus's conventions and begin with `packshot_`; docs/observability.md lists them.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

from services.common.version import VERSION

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter that nobody asks for

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Buckets from a look-up to a photo's deadline."""

RPC_REQUESTS: Final = Counter("packshot_rpc_requests_total", "gRPC calls that have ended", ("method", "code", "reason"))
RPC_DURATION: Final = Histogram(
    "packshot_rpc_duration_seconds", "Duration of gRPC calls, streams to their end", ("method",), buckets=SECONDS
)
RPC_IN_FLIGHT: Final = Gauge("packshot_rpc_in_flight", "gRPC calls that are being answered", ("method",))

EXECUTOR_WORKERS: Final = Gauge("packshot_executor_workers", "Calls that can be worked on at the same time")
EXECUTOR_RUNNING: Final = Gauge("packshot_executor_running", "Calls that are worked on")
EXECUTOR_PENDING: Final = Gauge("packshot_executor_pending", "Calls that are worked on or wait for a worker")
EXECUTOR_WAIT: Final = Histogram(
    "packshot_executor_wait_seconds", "How long calls have waited for a worker", buckets=SECONDS
)
EXECUTOR_REFUSED: Final = Counter(
    "packshot_executor_refused_total", "Calls that were refused because too much waited already"
)

STEP_DURATION: Final = Histogram(
    "packshot_step_duration_seconds", "Duration of the steps of a stage's work, e.g. decode", ("step",), buckets=SECONDS
)

EVENTS_PUBLISHED: Final = Counter("packshot_events_published_total", "Events that NATS has acknowledged")
EVENTS_DROPPED: Final = Counter("packshot_events_dropped_total", "Events lost because NATS was away for too long")
EVENTS_WAITING: Final = Gauge("packshot_events_waiting", "Events that wait to be published")

_BUILD_INFO: Final = Gauge("packshot_build_info", "What runs here; always 1", ("service", "version"))


def serve_metrics(listen: str, service: str) -> tuple[str, Callable[[], None]]:
    """Shows the process's metrics at http://HOST:PORT/metrics from a thread of its own, so under any load.

    Args:
        listen: HOST:PORT; port 0 takes any free one.
        service: E.g. "segmenter", for `packshot_build_info`.

    Returns:
        Its address, and what stops it.

    Raises:
        OSError: The address cannot be bound.
    """
    host, _, port = listen.rpartition(":")
    server, thread = start_http_server(int(port), host.strip("[]"))
    _BUILD_INFO.labels(service, VERSION).set(1)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return f"{host}:{server.server_port}", stop
