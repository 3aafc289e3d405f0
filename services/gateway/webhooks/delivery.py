"""Calls webhooks: in order within a job, again when they fail, and none in the way of another job's.

A call is claimed in the database, made, and only then noted as made. Whoever dies in between leaves a claim that runs
out, and the call is made again with the same id and the same body: at least once, and receivers tell repetitions.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

import httpx
import structlog
from opentelemetry.trace import SpanKind, StatusCode

from services.common.telemetry.traces import TRACEPARENT, incoming, outgoing, tracer
from services.gateway.metrics import WEBHOOK_CALLS, WEBHOOK_DURATION
from services.gateway.sources import RefusedError, UnknownHostError
from services.gateway.sources.fetcher import retry_after_s
from services.gateway.state import webhooks
from services.gateway.state.database import Database
from services.gateway.state.webhooks import Claimed
from services.gateway.webhooks.payload import body_of
from services.gateway.webhooks.signing import signed_headers

log = structlog.get_logger()

_TIMEOUT_S: Final = 10.0
_CLAIM_S: Final = 30.0
"""Longer than a call and its note take."""
_POLL_S: Final = 0.5
_TURN: Final = 100
"""Calls of one job in a row, before another may have its place."""
_FIRST_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call.

    Attributes:
        said: The status, or a short word: for the delivery's row, without anything of URL or answer.
        is_delivered: The receiver has taken it.
        is_final: It will not be taken, however often it is repeated.
        is_gone: The receiver wants no more of this job.
        retry_after_s: How long the receiver asks to be left alone.
    """

    said: str
    is_delivered: bool = False
    is_final: bool = False
    is_gone: bool = False
    retry_after_s: float | None = None


class WebhookDeliverer:
    """Makes the calls that are due, on every replica of the worker role.

    Args:
        database: Where they wait.
        transport: `sources.pinned_transport`: calls leave our network, and https only, unless the host is vouched for.
        concurrency: Calls at the same time; a tenant gets a quarter of them at most.
        retry_for_s: How long after its event a call is still repeated.
        first_retry_s: The wait after a first failure, on average; doubles with each, up to an hour.
        claim_s: When another may make a call that is not heard of any more.
        chance: For the spread of waits.
    """

    def __init__(
        self,
        database: Database,
        transport: httpx.AsyncBaseTransport,
        *,
        concurrency: int,
        retry_for_s: float,
        first_retry_s: float = _FIRST_RETRY_S,
        claim_s: float = _CLAIM_S,
        chance: random.Random | None = None,
    ) -> None:
        self._database = database
        self._client = httpx.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False, timeout=_TIMEOUT_S
        )
        self._concurrency = concurrency
        self._most_per_tenant = max(1, concurrency // 4)
        self._retry_for = timedelta(seconds=retry_for_s)
        self._first_retry_s = first_retry_s
        self._claim_s = claim_s
        self._chance = chance or random.Random()  # noqa: S311 - only spreads waits  # nosec B311
        self._calls: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Makes calls until it is cancelled; those that are being made then are made again by others."""
        try:
            while True:
                started = monotonic()
                for call in await self._claim_due():
                    task = asyncio.create_task(self._make_in_order(call))
                    self._calls[task] = call.tenant
                if len(self._calls) < self._concurrency:
                    # A long queue takes long to look through: never more than a fifth of the time.
                    await asyncio.sleep(max(_POLL_S, 4 * (monotonic() - started)))
                else:
                    await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
                self._forget_done()
        finally:
            for task in self._calls:
                task.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)
            self._calls.clear()

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _claim_due(self) -> list[Claimed]:
        free = self._concurrency - len(self._calls)
        if free <= 0:
            return []
        busy = Counter(self._calls.values())
        return await self._database.write(
            lambda session: webhooks.claim_due(session, _now(), self._claim_s, free, self._most_per_tenant, busy)
        )

    def _forget_done(self) -> None:
        for task in [task for task in self._calls if task.done()]:
            del self._calls[task]
            if not task.cancelled() and (error := task.exception()) is not None:
                # Its claim runs out, and it is made again.
                log.warning("a webhook call was not noted", error=repr(error))

    async def _make_in_order(self, call: Claimed) -> None:
        """The call and, as long as they are taken, those that follow it in its job."""
        for turn in range(1, _TURN + 1):
            outcome = await self._make(call)
            following = await self._note(call, outcome, go_on=turn < _TURN)
            if following is None:
                return
            call = following

    async def _make(self, call: Claimed) -> Outcome:
        about: dict[str, str | int] = {
            "packshot.job_id": call.job_id,
            "packshot.delivery_id": call.delivery_id,
            "packshot.attempt": call.attempts,
        }
        told_of = incoming({TRACEPARENT: call.traceparent})
        with tracer.start_as_current_span("call webhook", told_of, SpanKind.CLIENT, about) as span:
            with WEBHOOK_DURATION.time():
                outcome = await self._call(call)
            span.set_attribute("packshot.outcome", outcome.said)
            if not outcome.is_delivered:
                span.set_status(StatusCode.ERROR, outcome.said)
        return outcome

    async def _call(self, call: Claimed) -> Outcome:
        body = body_of(call.event)
        headers = {"Content-Type": "application/json", "User-Agent": "packshot-webhooks", **outgoing()}
        headers |= signed_headers(call.secret, call.delivery_id, body, _now())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                # The answer's body is of no interest, and may have no end.
                async with self._client.stream("POST", call.url, content=body, headers=headers) as response:
                    return _outcome(response)
        except RefusedError as error:
            return Outcome(error.reason, is_final=True)
        except httpx.InvalidURL:
            return Outcome("SOURCE_URL_INVALID", is_final=True)
        except UnknownHostError:
            return Outcome("SOURCE_HOST_UNKNOWN")
        except (TimeoutError, httpx.TimeoutException):
            return Outcome("TIMEOUT")
        except httpx.HTTPError as error:
            return Outcome(type(error).__name__)

    async def _note(self, call: Claimed, outcome: Outcome, *, go_on: bool) -> Claimed | None:
        now = _now()
        said = outcome.said
        if outcome.is_delivered:
            WEBHOOK_CALLS.labels("delivered").inc()
            next_claim_s = self._claim_s if go_on else None
            return await self._database.write(
                lambda session: webhooks.delivered(session, call, said, now, next_claim_s)
            )
        next_attempt_at = now + timedelta(seconds=self._pause_s(call.attempts, outcome))
        told = {"delivery": call.delivery_id, "job": call.job_id, "attempts": call.attempts, "outcome": said}
        if outcome.is_final or next_attempt_at > call.event.occurred_at.ToDatetime(UTC) + self._retry_for:
            WEBHOOK_CALLS.labels("given-up").inc()
            log.warning("a webhook call is given up", **told)
            await self._database.write(
                lambda session: webhooks.give_up(session, call, said, now, whole_job=outcome.is_gone)
            )
        else:
            WEBHOOK_CALLS.labels("failed").inc()
            log.info("a webhook call failed", retry_at=next_attempt_at.isoformat(), **told)
            await self._database.write(lambda session: webhooks.failed(session, call, said, next_attempt_at))
        return None

    def _pause_s(self, attempts: int, outcome: Outcome) -> float:
        growth = min(self._first_retry_s * 2.0 ** min(attempts - 1, 30), _LONGEST_RETRY_S)
        asked = min(outcome.retry_after_s or 0.0, self._retry_for.total_seconds())
        return max(growth * self._chance.uniform(2 / 3, 4 / 3), asked)


def _outcome(response: httpx.Response) -> Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return Outcome(str(status), is_delivered=True)
    is_gone = status == httpx.codes.GONE
    return Outcome(str(status), is_final=is_gone, is_gone=is_gone, retry_after_s=retry_after_s(response))


def _now() -> datetime:
    return datetime.now(UTC)
