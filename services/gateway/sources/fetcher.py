"""Fetches photos and catalogues by URL: https through the pinned transport, s3 and gs from the buckets on the list."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from services.gateway.sources.buckets import SCHEMES, Buckets
from services.gateway.sources.content import Expected, collect
from services.gateway.sources.errors import SourceError
from services.gateway.sources.settings import SourceSettings
from services.gateway.sources.transport import Resolve, UnknownHostError, pinned_transport
from services.gateway.sources.urls import RefusedError, parse_url

# Compressed answers could be bombs, and photos gain nothing.
_HEADERS: Final = {"User-Agent": "Packshot", "Accept": "*/*", "Accept-Encoding": "identity"}
_BACKOFF_S: Final = 0.5


class Fetcher:
    """Fetches from any number of tasks; to one host only so many at a time. Make one, and close it at the end."""

    def __init__(self, settings: SourceSettings, resolve: Resolve | None = None) -> None:
        """
        Args:
            resolve: Instead of the system's resolver, see `pinned_transport`.
        """
        self._settings = settings
        self._buckets = Buckets(settings)
        self._hosts = _Slots(settings.max_connections_per_host)
        # Without httpx's client: it would keep cookies of one tenant for another, and log URLs with their secrets.
        self._transport = pinned_transport(settings, resolve)
        timeout = httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s, pool=settings.timeout_s)
        self._extensions = {"timeout": timeout.as_dict()}

    async def fetch(self, url: str) -> bytes:
        """A photo's bytes, of a format that can be decoded; nothing beyond its first bytes is looked at.

        Raises:
            SourceError: See its reasons.
        """
        return await self._fetch(url, Expected(self._settings.max_photo_bytes, is_photo=True))

    async def fetch_catalogue(self, url: str) -> bytes:
        """A file's bytes, whatever they are.

        Raises:
            SourceError: See its reasons.
        """
        return await self._fetch(url, Expected(self._settings.max_catalogue_bytes, is_photo=False))

    async def close(self) -> None:
        """Closes its connections."""
        self._buckets.close()
        await self._transport.aclose()

    async def _fetch(self, url: str, expected: Expected) -> bytes:
        if url.partition("://")[0].lower() in SCHEMES:
            return await self._buckets.fetch(url, expected)
        try:
            parsed = parse_url(url)
            async with asyncio.timeout(self._settings.timeout_s) as budget:
                return await self._fetch_repeatedly(parsed, expected, budget)
        except RefusedError as error:
            raise SourceError(error.reason, error.message, is_permanent=True) from error
        except TimeoutError as error:
            raise SourceError(
                "SOURCE_TIMEOUT",
                f"{parsed.host} took longer than {self._settings.timeout_s:g} s; try again later",
                is_permanent=False,
            ) from error

    async def _fetch_repeatedly(self, url: httpx.URL, expected: Expected, budget: asyncio.Timeout) -> bytes:
        attempt = 1
        while True:
            try:
                return await self._follow(url, expected, budget)
            except SourceError as error:
                wait_s = _BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter  # nosec B311
                if error.retry_after_s is not None:
                    wait_s = error.retry_after_s
                if error.is_permanent or attempt == self._settings.attempts or wait_s > self._settings.max_retry_wait_s:
                    raise
            await asyncio.sleep(wait_s)
            attempt += 1

    async def _follow(self, url: httpx.URL, expected: Expected, budget: asyncio.Timeout) -> bytes:
        """One attempt, redirects and all. Each of its calls waits for its turn at its host."""
        start = url
        for _ in range(self._settings.max_redirects + 1):
            async with self._hosts.turn(url.host, budget):
                answer = await self._call(url, expected)
            if isinstance(answer, bytes):
                return answer
            url = answer
        raise SourceError(
            "SOURCE_TOO_MANY_REDIRECTS",
            f"{start.host} leads on more than {self._settings.max_redirects} times; link to the file itself",
            is_permanent=True,
        )

    async def _call(self, url: httpx.URL, expected: Expected) -> bytes | httpx.URL:
        """The bytes, or where to go on."""
        try:
            response = await self._transport.handle_async_request(
                httpx.Request("GET", url, headers=_HEADERS, extensions=self._extensions)
            )
            try:
                if response.has_redirect_location:
                    return _target(url, response)
                _check_headers(response, expected, url.host)
                return await collect(response.aiter_raw(), expected, url.host)
            finally:
                await response.aclose()
        except RefusedError:
            raise
        except httpx.TransportError as error:
            raise _explained(error, url.host) from error


class _Slots:
    """So many at a time per host."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._semaphores: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def turn(self, host: str, budget: asyncio.Timeout) -> AsyncIterator[None]:
        """Waits for a free slot; the time limit stands still meanwhile, for it is not the host that is slow."""
        semaphore, users = self._semaphores.get(host, (asyncio.Semaphore(self._per_host), 0))
        self._semaphores[host] = (semaphore, users + 1)
        try:
            resume = _pause(budget)
            async with semaphore:
                resume()
                yield
        finally:
            semaphore, users = self._semaphores.pop(host)
            if users > 1:
                self._semaphores[host] = (semaphore, users - 1)


def _pause(budget: asyncio.Timeout) -> Callable[[], None]:
    """Stops a time limit until the returned function is called."""
    loop = asyncio.get_running_loop()
    ends_at = budget.when()
    if ends_at is None:
        raise ValueError("a time limit can be paused only while it runs")
    left_s = ends_at - loop.time()
    budget.reschedule(None)
    return lambda: budget.reschedule(loop.time() + left_s)


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    try:
        return url.join(response.headers["Location"])
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceError(
            "SOURCE_REDIRECT_INVALID",
            f"{url.host} leads to what is no URL; link to the file itself",
            is_permanent=True,
        ) from error


def _check_headers(response: httpx.Response, expected: Expected, host: str) -> None:
    status = response.status_code
    if status != httpx.codes.OK:
        raise _unexpected(response, host)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise SourceError(
            "SOURCE_ENCODED",
            f"{host} sends it compressed although asked not to; have it sent as it is",
            is_permanent=True,
        )
    length = response.headers.get("Content-Length", "")
    if length.isdecimal():
        expected.check_size(int(length), host)


def _unexpected(response: httpx.Response, host: str) -> SourceError:
    status = response.status_code
    match status:
        case 404 | 410:
            return SourceError("SOURCE_NOT_FOUND", f"{host} has no such file ({status})", is_permanent=True)
        case 401 | 403:
            message = f"{host} does not let us fetch it ({status}); make the link public, or sign it anew"
            return SourceError("SOURCE_FORBIDDEN", message, is_permanent=True)
        case 429:
            message = f"{host} is asked too often ({status}); try again later"
            return SourceError("SOURCE_BUSY", message, is_permanent=False, retry_after_s=retry_after_s(response))
        case _ if status == 408 or status >= 500:
            message = f"{host} fails ({status}); try again later"
            return SourceError(
                "SOURCE_SERVER_FAILED", message, is_permanent=False, retry_after_s=retry_after_s(response)
            )
        case _:
            message = f"{host} answers with status {status} instead of the file; link to the file itself"
            return SourceError("SOURCE_STATUS_UNEXPECTED", message, is_permanent=True)


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds or a date (RFC 9110, section 10.2.3); None without, or when it is neither."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _explained(error: httpx.TransportError, host: str) -> SourceError:
    match error:
        case UnknownHostError():
            message = f"there is no host {host}; correct the URL"
            return SourceError("SOURCE_HOST_UNKNOWN", message, is_permanent=True)
        case httpx.TimeoutException():
            message = f"{host} does not answer in time; try again later"
            return SourceError("SOURCE_TIMEOUT", message, is_permanent=False)
        case httpx.ConnectError() if _certificate_error(error):
            message = f"{host} has no valid certificate; have its owner renew it"
            return SourceError("SOURCE_CERTIFICATE_INVALID", message, is_permanent=True)
        case _:
            message = f"{host} cannot be reached, or the connection broke; try again later"
            return SourceError("SOURCE_CONNECTION_FAILED", message, is_permanent=False)


def _certificate_error(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
