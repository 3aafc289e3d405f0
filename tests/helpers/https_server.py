"""A real HTTP server, with TLS or without, whose answers a test writes byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the way back."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Bytes as they are; returns when the other side takes more."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; `Retry_After="1"` becomes Retry-After: 1."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join([*lines, "", ""]).encode() + body)


@dataclass
class HttpServer:
    """Answers by path.

    Attributes:
        exchanges: Requests so far.
        names: Server names that TLS clients asked for.
        most_at_once: Exchanges that ran at the same time.
    """

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    _running: int = 0

    def always(self, path: str, status: int, body: bytes = b"", **headers: str) -> None:
        """The same answer to every request of a path."""

        async def answer(exchange: Exchange) -> None:
            await exchange.answer(status, body, **headers)

        self.answers[path] = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        # Clients that hang up are part of the tests.
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._exchange(reader, writer)
        self._running -= 1
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 1)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        exchange = Exchange(method, target, headers, body, writer)
        self.exchanges.append(exchange)
        path = target.partition("?")[0]
        if path in self.answers:
            await self.answers[path](exchange)
        else:
            await exchange.answer(404)


@asynccontextmanager
async def http_server(context: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """On a free port of 127.0.0.1; with a context it speaks TLS."""
    server = HttpServer()
    if context is not None:
        context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
