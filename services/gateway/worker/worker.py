"""The worker: takes items off the queue, a bounded number at a time, and sees each to its end, whatever breaks.

An item is run by the worker that holds its lease in the database. The lease and the message are renewed while it
runs; a worker that dies lets go of both by itself. What became of an item is written in one transaction, which only
the lease's holder can make: so an item ends once, however often it was begun.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final, TypeVar

import structlog
from opentelemetry.trace import SpanKind, get_current_span
from sqlalchemy.ext.asyncio import AsyncSession

from services.common.bus import Bus
from services.common.telemetry.traces import tracer
from services.gateway.metrics import ATTEMPT_DURATION, ATTEMPTS, DEAD_LETTERS
from services.gateway.state import work
from services.gateway.state.database import Database
from services.gateway.state.errors import UnavailableError
from services.gateway.state.tables import Result
from services.gateway.state.work import Claimed, NewResult
from services.gateway.worker import backoff, dead_letters
from services.gateway.worker.failures import AttemptError, Remedy
from services.gateway.worker.item import Maker, StoppingError, request_id_of
from services.gateway.worker.queue import Delivery, WorkQueue

T = TypeVar("T")

log = structlog.get_logger()

_PULL_S: Final = 2.0
_DATABASE_AWAY_S: Final = 2.0
_RENEWALS_A_LEASE: Final = 3
_HELD_BACK_S: Final = 1.0
_LONGEST_WISH_S: Final = 3600.0
"""However long a photo's server asks to be left alone."""


class Worker:
    """Works on items until it is told to stop.

    Args:
        database: Where items are claimed and end.
        queue: Where the hints come from that there is something to claim.
        maker: Makes results.
        bus: For dead letters.
        changed: Told the id of a job that has changed.
        name: This process, for people.
        concurrency: Items at the same time.
        attempts: After this many an item is given up.
        first_retry_s: See `backoff.delay_s`.
        lease_s: How long an item stays with a worker that is not heard of.
    """

    def __init__(
        self,
        database: Database,
        queue: WorkQueue,
        maker: Maker,
        bus: Bus,
        changed: Callable[[str], None],
        *,
        name: str,
        concurrency: int,
        attempts: int,
        first_retry_s: float,
        lease_s: float,
    ) -> None:
        self._database = database
        self._queue = queue
        self._maker = maker
        self._bus = bus
        self._changed = changed
        self._name = name
        self._attempts = attempts
        self._first_retry_s = first_retry_s
        self._lease_s = lease_s
        self._places = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stopped_at = 0.0
        self._chance = random.Random()  # noqa: S311 - only spreads waits  # nosec B311

    async def run(self) -> None:
        """Works until `stop`. Raises what NATS raises when it is away; items in work go on."""
        while not self._stopping.is_set():
            with suppress(StoppingError):
                await self._maker.stages_ready(self._stopping)
                await self._take_one()

    def stop(self) -> None:
        """Takes no more items; those that wait for a stage are let go."""
        self._stopping.set()
        self._stopped_at = monotonic()

    async def finish(self, grace_s: float) -> None:
        """Waits for the items in work; those not done within the grace since `stop` are given back."""
        if not self._running:
            return
        left_s = max(self._stopped_at + grace_s - monotonic(), 0.0)
        _, late = await asyncio.wait(self._running, timeout=left_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    async def _take_one(self) -> None:
        """Waits for a place and a message; what comes of it goes on by itself."""
        await self._places.acquire()
        delivery = None
        try:
            if not self._stopping.is_set():
                delivery = await self._queue.next(_PULL_S)
        finally:
            if delivery is None:
                self._places.release()
        if delivery is None:
            return
        task = asyncio.create_task(self._work_on(delivery), name=f"item {delivery.item_id}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an item's task died; the item is taken up again when its lease ends", exc_info=error)

    async def _work_on(self, delivery: Delivery) -> None:
        lease = secrets.token_hex(16)
        try:
            claimed = await self._database.write(
                lambda session: work.claim(session, delivery.item_id, self._name, lease, _now(), self._lease_s)
            )
        except UnavailableError as error:
            log.warning("an item waits for the database", item_id=delivery.item_id, error=str(error))
            await delivery.give_back(_DATABASE_AWAY_S)
            await asyncio.sleep(_DATABASE_AWAY_S)
            return
        if claimed is None:
            await delivery.done()  # it has ended, is not wanted yet, or another has it
            return
        item = claimed.item
        ids: dict[str, str | int] = {
            "request_id": request_id_of(item),
            "tenant": item.tenant,
            "job_id": item.job_id,
            "item_id": item.id,
        }
        about = {f"packshot.{name}": value for name, value in ids.items()} | {"packshot.attempt": item.attempts}
        with (
            structlog.contextvars.bound_contextvars(**ids, item_key=item.key),
            tracer.start_as_current_span("work on item", delivery.trace, SpanKind.CONSUMER, about),
            ATTEMPT_DURATION.time(),
        ):
            await self._run(delivery, claimed)

    async def _run(self, delivery: Delivery, claimed: Claimed) -> None:
        """Sees a claimed item to the end of this attempt."""
        renewing = asyncio.create_task(self._renew(delivery, claimed))
        making = asyncio.create_task(self._make(claimed))
        try:
            await asyncio.wait({making, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                renewing.result()
                log.warning("another worker has taken the item over")
                _count("lost")
                return
            await self._settle(delivery, claimed, making.result())
        except asyncio.CancelledError:
            await self._release(delivery, claimed)
            _count("released")
            raise
        finally:
            for task in (making, renewing):
                task.cancel()
            await asyncio.gather(making, renewing, return_exceptions=True)

    async def _make(self, claimed: Claimed) -> NewResult | Result | AttemptError | None:
        """What this attempt comes to; None when the worker stops."""
        if claimed.item.attempts > self._attempts:
            reason = claimed.item.error_reason or "WORKER_LOST"
            return AttemptError(Remedy.RETRY, reason, claimed.item.error_message or "every worker that had it was lost")
        while True:
            try:
                return await self._maker.make(claimed, self._stopping)
            except AttemptError as failure:
                return failure
            except StoppingError:
                return None
            except UnavailableError as error:
                log.warning("an item waits for the database", error=str(error))
                await asyncio.sleep(_DATABASE_AWAY_S)
            except Exception as error:  # whatever it is, it must not stop the others
                log.exception("an item's attempt broke")
                return AttemptError(Remedy.RETRY, "INTERNAL", f"an internal error: {type(error).__name__}")

    async def _settle(
        self, delivery: Delivery, claimed: Claimed, outcome: NewResult | Result | AttemptError | None
    ) -> None:
        """Writes down what became of the item, and tells."""
        item = claimed.item
        if outcome is None:
            await self._release(delivery, claimed)
            _count("released")
            return
        if isinstance(outcome, AttemptError) and outcome.remedy is Remedy.WAIT:
            wait_s = backoff.delay_s(item.dispatches, _HELD_BACK_S, self._chance)
            log.warning("item", state="waiting", reason=outcome.reason, wait_s=round(wait_s, 1))
            await self._release(delivery, claimed, wait_s, outcome)
            _count("waiting")
            return
        if isinstance(outcome, AttemptError) and outcome.remedy is Remedy.GIVE_BACK:
            log.info("item", state="held back", reason=outcome.reason)
            await self._release(delivery, claimed, max(outcome.after_s or 0.0, _HELD_BACK_S))
            _count("held-back")
            return
        if not isinstance(outcome, AttemptError):
            await self._write(lambda session: work.finish(session, claimed, outcome, _now()))
            log.info("item", state="succeeded", attempt=item.attempts)
            _count("succeeded")
            await delivery.done()
        elif outcome.remedy is Remedy.NONE:
            await self._fail(claimed, outcome, dead=False)
            _count("failed")
            await delivery.done()
        elif item.attempts >= self._attempts:
            if await self._fail(claimed, outcome, dead=True):
                dead_letters.publish(self._bus, claimed, outcome.reason, outcome.message, _now())
                DEAD_LETTERS.labels(outcome.reason).inc()
            _count("dead")
            await delivery.give_up()
        else:
            wait_s = backoff.delay_s(item.attempts, self._first_retry_s, self._chance)
            available_at = _now() + timedelta(seconds=max(wait_s, min(outcome.after_s or 0.0, _LONGEST_WISH_S)))
            await self._write(
                lambda session: work.retry_later(
                    session, claimed, outcome.reason, outcome.message, available_at, _now()
                )
            )
            log.info("item", state="retrying", attempt=item.attempts, reason=outcome.reason, wait_s=round(wait_s, 1))
            _count("retrying")
            await delivery.done()
        self._changed(item.job_id)

    async def _fail(self, claimed: Claimed, failure: AttemptError, *, dead: bool) -> bool:
        log.info("item", state="failed", attempt=claimed.item.attempts, reason=failure.reason, dead=dead)
        return await self._write(
            lambda session: work.fail(session, claimed, failure.reason, failure.message, _now(), dead=dead)
        )

    async def _release(
        self, delivery: Delivery, claimed: Claimed, after_s: float = 0.0, failure: AttemptError | None = None
    ) -> None:
        """Gives the item back, with its attempt: this worker stops, the tenant's turn is later, or something is away.

        Args:
            failure: Says why, for who looks at the item; without it the last one's words stay.
        """

        async def release(session: AsyncSession) -> bool:
            now = _now()
            reason, message = claimed.item.error_reason, claimed.item.error_message
            if failure is not None:
                reason, message = failure.reason, failure.message
            available_at = now + timedelta(seconds=after_s)
            return await work.retry_later(session, claimed, reason, message, available_at, now, counted=False)

        with suppress(UnavailableError):  # its lease ends by itself
            await self._database.write(release)
        await delivery.done()
        self._changed(claimed.item.job_id)

    async def _write(self, change: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Waits for a database that is away: the work is done, and must not be lost."""
        while True:
            try:
                return await self._database.write(change)
            except UnavailableError as error:
                log.warning("what became of an item waits for the database", error=str(error))
                await asyncio.sleep(_DATABASE_AWAY_S)

    async def _renew(self, delivery: Delivery, claimed: Claimed) -> None:
        """Keeps lease and message; returns when the lease is lost."""
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS_A_LEASE)
            await delivery.in_progress()
            try:
                held = await self._database.write(
                    lambda session: work.renew(session, claimed.item.id, claimed.lease, _now(), self._lease_s)
                )
            except UnavailableError as error:
                log.warning("a lease could not be renewed", error=str(error))
                continue
            if not held:
                return


def _count(outcome: str) -> None:
    """How an attempt ended, for its span and the metrics."""
    get_current_span().set_attribute("packshot.outcome", outcome)
    ATTEMPTS.labels(outcome).inc()


def _now() -> datetime:
    return datetime.now(UTC)
