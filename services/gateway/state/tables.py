"""What the gateway remembers, as tables. The same on SQLite (one machine) and PostgreSQL (clusters).

Times are UTC. Messages (`bytes` columns) are serialised protobufs of `packshot.v1`. Every row belongs to a tenant, and
every query names the tenant: ids alone open nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_LONG: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in INTEGER columns


class Utc(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite itself keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be kept")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _one_of(values: type[StrEnum]) -> Enum:
    """A column of one of these words, kept as text."""
    return Enum(
        values,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda kinds: [k.value for k in kinds],
    )


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Utc(), bytes: LargeBinary(), str: String(256)}  # noqa: RUF012


class JobState(StrEnum):
    OPEN = "open"
    READING = "reading"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class ItemState(StrEnum):
    QUEUED = "queued"
    """Waits for its turn, or for its next attempt."""
    DISPATCHED = "dispatched"
    """A message about it is in the work queue; callers see it as queued."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ReviewState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    REDONE = "redone"


class LedgerKind(StrEnum):
    GRANT = "grant"
    CHARGE = "charge"
    REFUND = "refund"


class Tenant(Base):
    """Limits are per tenant and shared by all replicas; None means none."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    created_at: Mapped[datetime]
    photos_per_minute: Mapped[int | None]
    bytes_per_minute: Mapped[int | None] = mapped_column(BigInteger)
    max_concurrent_photos: Mapped[int | None]
    webhook_secret: Mapped[str]


class ApiKey(Base):
    """A key is 256 random bits, so a plain SHA-256 of it cannot be reversed or guessed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str]
    """Of photos, jobs, reviews; comma-separated."""
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class TenantUsage(Base):
    """Two token buckets, filled as time goes by; see services/gateway/limits.py."""

    __tablename__ = "tenant_usage"

    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"), primary_key=True)
    photos_left: Mapped[float]
    bytes_left: Mapped[float]
    refilled_at: Mapped[datetime]


class CallLease(Base):
    """A photo in work for a tenant. It ends by itself, so that a machine that dies holds no place."""

    __tablename__ = "call_leases"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"), index=True)
    expires_at: Mapped[datetime]


class TaskLease(Base):
    """Which replica does a task that only one should do, e.g. "dispatch"."""

    __tablename__ = "task_leases"

    task: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("tenant", "request_id"), Index(None, "tenant", "created_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """job_ and 32 hex digits."""
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    request_id: Mapped[str | None] = mapped_column(String(128))
    request_sha256: Mapped[str] = mapped_column(String(64))
    """Of the request, without its request_id: the same request_id with other content is an error."""
    label: Mapped[str]
    state: Mapped[JobState] = mapped_column(_one_of(JobState), index=True)
    """Cancelled as soon as a person says so; over (`ended_at`) when its last item in work has ended."""
    priority: Mapped[int]
    options: Mapped[bytes]
    """ProcessOptions."""
    catalogue_url: Mapped[str] = mapped_column(Text)
    catalogue_format: Mapped[str] = mapped_column(String(32))
    webhook_url: Mapped[str] = mapped_column(Text)
    traceparent: Mapped[str] = mapped_column(String(55), server_default="")
    """W3C trace context of the call that made the job, which its items go on; empty without a trace."""
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int]
    """This and the next seven are kept up under the row's lock, so that nobody has to count a job's items."""
    succeeded: Mapped[int]
    failed: Mapped[int]
    cancelled: Mapped[int]
    publish: Mapped[int]
    review: Mapped[int]
    reject: Mapped[int]
    credits: Mapped[int]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    error_reason: Mapped[str] = mapped_column(String(64))
    error_message: Mapped[str] = mapped_column(Text)


class Item(Base):
    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("job_id", "position"),
        UniqueConstraint("job_id", "key"),
        Index(None, "job_id", "state", "position"),
        Index(None, "state", "lease_expires_at"),
        # What is swept from the object store is looked up by these two.
        Index(None, "result_id"),
        Index(None, "photo_object"),
    )

    id: Mapped[int] = mapped_column(_LONG, primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    position: Mapped[int]
    """From 0, in the order of the catalogue; numbers of items that were there already are left out."""
    key: Mapped[str]
    sku: Mapped[str]
    row_number: Mapped[int]
    source_url: Mapped[str] = mapped_column(Text)
    """Empty for an uploaded photo."""
    photo_object: Mapped[str] = mapped_column(Text)
    """Where an uploaded photo is kept; empty for a URL."""
    category: Mapped[str] = mapped_column(String(64))
    marketplaces: Mapped[str] = mapped_column(Text)
    """Comma-separated; empty means the job's."""
    hints: Mapped[bytes]
    """RedoHints of the person who had it done again; empty without."""
    state: Mapped[ItemState] = mapped_column(_one_of(ItemState))
    available_at: Mapped[datetime]
    """Not before."""
    dispatches: Mapped[int]
    """How often a message about it was published; makes the message's id."""
    dispatched_at: Mapped[datetime | None]
    """When the last of them was."""
    attempts: Mapped[int]
    """Since it was last queued by a person."""
    lease: Mapped[str] = mapped_column(String(32))
    """The worker's that runs it; empty without."""
    lease_expires_at: Mapped[datetime | None]
    error_reason: Mapped[str] = mapped_column(String(64))
    error_message: Mapped[str] = mapped_column(Text)
    result_id: Mapped[str | None] = mapped_column(ForeignKey("results.id"))
    repeated: Mapped[bool]
    """Its result was in the store already."""
    verdict: Mapped[str] = mapped_column(String(16))
    """The result's, then that of the person who decided; empty without a result."""
    confidence: Mapped[float]
    review_id: Mapped[str] = mapped_column(String(36))
    """Its latest review; empty without."""
    credits: Mapped[int]
    """Charged for it, less refunds."""
    ended_at: Mapped[datetime | None]


class Attempt(Base):
    __tablename__ = "attempts"
    __table_args__ = (Index(None, "item_id", "number"),)

    id: Mapped[int] = mapped_column(_LONG, primary_key=True, autoincrement=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    number: Mapped[int]
    worker: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(64))
    """Why it failed; empty when it did not, or was never heard of again."""


class Result(Base):
    """What was made of a photo. The same key means the same files, so it is made once per tenant."""

    __tablename__ = "results"
    __table_args__ = (UniqueConstraint("tenant", "key"), Index(None, "photo_object"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    key: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over photo bytes, options, packs' hashes and segmenter's digest; None once its files were removed."""
    photo_sha256: Mapped[str] = mapped_column(String(64))
    photo_object: Mapped[str] = mapped_column(Text)
    response: Mapped[bytes]
    """ProcessImageResponse without the images' bytes."""
    verdict: Mapped[str] = mapped_column(String(16))
    """publish, review or reject: the worst of its marketplaces'."""
    confidence: Mapped[float]
    """The lowest of its marketplaces'."""
    created_at: Mapped[datetime] = mapped_column(Utc(), index=True)


class ResultFile(Base):
    __tablename__ = "result_files"

    result_id: Mapped[str] = mapped_column(ForeignKey("results.id"), primary_key=True)
    marketplace: Mapped[str] = mapped_column(String(64), primary_key=True)
    output: Mapped[int] = mapped_column(primary_key=True)
    """Output of packshot.proto."""
    object: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    width_px: Mapped[int]
    height_px: Mapped[int]


class LedgerEntry(Base):
    """Rows are added and never changed. A result is charged once, whoever asks for it how often."""

    __tablename__ = "ledger"
    __table_args__ = (UniqueConstraint("tenant", "result_id", "kind"), Index(None, "item_id"))

    id: Mapped[int] = mapped_column(_LONG, primary_key=True, autoincrement=True)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    kind: Mapped[LedgerKind] = mapped_column(_one_of(LedgerKind))
    credits: Mapped[int]
    """Negative for a charge."""
    price_tier: Mapped[str] = mapped_column(String(32))
    result_id: Mapped[str | None] = mapped_column(ForeignKey("results.id"))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("items.id"))
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Review(Base):
    __tablename__ = "reviews"
    __table_args__ = (Index(None, "item_id"), Index(None, "tenant", "state", "created_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """rev_ and 32 hex digits."""
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    result_id: Mapped[str] = mapped_column(ForeignKey("results.id"))
    state: Mapped[ReviewState] = mapped_column(_one_of(ReviewState))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(32))
    """Id of the API key."""
    note: Mapped[str] = mapped_column(Text)
    hints: Mapped[bytes]


class JobEvent(Base):
    """What watchers see. Sequences have no gaps: they are given under the job row's lock."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    event: Mapped[bytes]
    """JobEvent of jobs.proto."""


class DeadLetter(Base):
    """An item that was given up after too many attempts."""

    __tablename__ = "dead_letters"
    __table_args__ = (Index(None, "tenant", "died_at"), Index(None, "item_id"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """dl_ and 32 hex digits."""
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    reason: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    died_at: Mapped[datetime]
    requeued_at: Mapped[datetime | None]


class WebhookDelivery(Base):
    __tablename__ = "webhook_deliveries"
    __table_args__ = (UniqueConstraint("job_id", "sequence"), Index(None, "state", "next_attempt_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """wh_ and 32 hex digits; sent along, so that a receiver can tell repetitions."""
    tenant: Mapped[str] = mapped_column(ForeignKey("tenants.name"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    sequence: Mapped[int] = mapped_column(BigInteger)
    url: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    """waiting, delivered or given-up."""
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime]
    last_outcome: Mapped[str] = mapped_column(Text)
    traceparent: Mapped[str] = mapped_column(String(55), server_default="")
    """W3C trace context of what the call tells of; empty without a trace."""
