"""The gateway's metrics for Prometheus; docs/observability.md lists them with those of every service."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.common.telemetry.metrics import SECONDS

PHOTOS_IN_WORK: Final = Gauge("packshot_photos_in_work", "Photos of calls that the gateway has let in")
PHOTOS_LIMIT: Final = Gauge("packshot_photos_limit", "How many it lets in; follows what the stages can take")

STAGE_DURATION: Final = Histogram(
    "packshot_stage_duration_seconds",
    "Duration of calls to the stages as the gateway sees them, with network and queues",
    ("stage", "code"),
    buckets=SECONDS,
)
STAGE_IN_FLIGHT: Final = Gauge("packshot_stage_in_flight", "Calls to the stages that are not answered yet", ("stage",))

VERDICTS: Final = Counter(
    "packshot_verdicts_total", "Verdicts on packshots and checked images", ("marketplace", "verdict")
)

CACHE_LOOKUPS: Final = Counter(
    "packshot_cache_lookups_total", "Look-ups in a cache; outcome is hit or miss", ("cache", "outcome")
)

ATTEMPTS: Final = Counter("packshot_item_attempts_total", "Attempts at items of jobs, by how they ended", ("outcome",))
ATTEMPT_DURATION: Final = Histogram(
    "packshot_item_attempt_duration_seconds", "Duration of attempts at items of jobs", buckets=SECONDS
)
REDELIVERIES: Final = Counter(
    "packshot_queue_redeliveries_total", "Messages of the work queue that somebody had had before"
)
DEAD_LETTERS: Final = Counter("packshot_dead_letters_total", "Items that were given up", ("reason",))

QUEUE_PENDING: Final = Gauge("packshot_queue_pending", "Messages in the work queue that no worker has yet")
QUEUE_UNACKNOWLEDGED: Final = Gauge("packshot_queue_unacknowledged", "Messages of the work queue that a worker has")
QUEUE_PULLS: Final = Gauge(
    "packshot_queue_waiting_pulls", "Workers that wait for a message, for they have room for more"
)
ITEMS: Final = Gauge("packshot_items", "Items of jobs that have not ended, in the database", ("state",))
OLDEST_ITEM: Final = Gauge(
    "packshot_oldest_item_wait_seconds", "How long the item has waited that has waited longest for a worker"
)
OPEN_DEAD_LETTERS: Final = Gauge("packshot_open_dead_letters", "Items given up that nobody has queued again")
WEBHOOKS_WAITING: Final = Gauge("packshot_webhooks_waiting", "Webhook calls that are still to be made")
BACKLOG_READ: Final = Gauge(
    "packshot_backlog_read_timestamp_seconds", "When the gauges of queue, items, dead letters and webhooks were read"
)

WEBHOOK_CALLS: Final = Counter(
    "packshot_webhook_calls_total", "Webhook calls; outcome is delivered, failed or given-up", ("outcome",)
)
WEBHOOK_DURATION: Final = Histogram("packshot_webhook_duration_seconds", "Duration of webhook calls", buckets=SECONDS)

# A series that only begins with its first event hides that event: Prometheus counts from the second value on.
for _outcome in ("succeeded", "failed", "dead", "retrying", "waiting", "held-back", "released", "lost"):
    ATTEMPTS.labels(_outcome)
for _outcome in ("delivered", "failed", "given-up"):
    WEBHOOK_CALLS.labels(_outcome)
