"""The transport of all outgoing calls to URLs that callers name: what was checked is what is connected to.

A name is resolved once per connection, every address of the answer is checked, and the connection goes to a checked
address itself, so a name server that answers differently the next moment gains nothing (DNS rebinding). TLS still asks
for, and verifies, the certificate of the name. Redirects are further calls, and are checked alike.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import httpcore
import httpx

from services.gateway.sources.addresses import refusal
from services.gateway.sources.settings import SourceSettings
from services.gateway.sources.urls import RefusedError, check_url
from services.gateway.threads import Threads

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host and port, in the order to be tried. Raises socket.gaierror."""

_UNKNOWN_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class UnknownHostError(httpx.ConnectError):
    """There is no such name in the DNS."""


def pinned_transport(settings: SourceSettings, resolve: Resolve | None = None) -> httpx.AsyncBaseTransport:
    """A transport that only reaches public hosts, and those the operator vouches for.

    Use it in a client without environment (`httpx.AsyncClient(transport=…, trust_env=False)`), for any method. Besides
    httpx's errors it raises RefusedError and UnknownHostError.

    Args:
        resolve: Instead of the system's resolver.
    """
    return _PinnedTransport(settings, resolve)


class _PinnedTransport(httpx.AsyncBaseTransport):
    def __init__(self, settings: SourceSettings, resolve: Resolve | None) -> None:
        self._settings = settings
        # Its own threads: a name server that does not answer must not hold up others' work.
        self._threads = Threads("names")
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(settings.ca_file),
            max_connections=settings.max_connections,
            keepalive_expiry=5.0,
            network_backend=_PinnedBackend(settings, resolve or self._ask_the_system),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        check_url(request.url, self._settings)
        with _httpx_errors():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
        self._threads.close()

    async def _ask_the_system(self, host: str, port: int) -> Sequence[str]:
        found = await self._threads.run(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, settings: SourceSettings, resolve: Resolve) -> None:
        self._settings = settings
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._checked_addresses(host, port)
                share_s = None if timeout is None else timeout / len(addresses)
                failed: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectError()
                for address in addresses:
                    try:
                        return _Stream(
                            await self._network.connect_tcp(address, port, share_s, local_address, socket_options)
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        failed = error
                raise failed
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not answer within {timeout:g} s") from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise RefusedError("SOURCE_ADDRESS_REFUSED", "sockets of this machine are not called")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int) -> list[str]:
        """All addresses of a host. One that may not be reached refuses them all: honest hosts have no such mixture."""
        try:
            found = list(dict.fromkeys(await self._resolve(host, port)))
        except (socket.gaierror, UnicodeError) as error:
            if not isinstance(error, socket.gaierror) or error.errno in _UNKNOWN_NAME:
                raise UnknownHostError(f"there is no host {host}") from error
            raise httpcore.ConnectError(f"the name server does not answer for {host}") from error
        if not found:
            raise UnknownHostError(f"{host} has no address")
        internal = self._settings.is_internal(host, port)
        for address in found:
            kind = refusal(ip_address(address), internal=internal)
            if kind is not None:
                raise RefusedError(
                    "SOURCE_ADDRESS_REFUSED",
                    f"{host} leads to an address that is not called ({kind}); use a public host, or have the operator "
                    "add it to the internal hosts",
                )
        return found


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is given up: httpcore leaves it open when that is cancelled,
    and nobody else knows it by then."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@cache
def _ssl_context(ca_file: Path | None) -> ssl.SSLContext:
    """Reading the public authorities takes a tenth of a second, and all transports trust the same."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """httpcore's errors as httpx's, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error
