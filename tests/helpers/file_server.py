"""A real HTTP server of one file, with ranges (RFC 9110) and the faults servers have."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """Callers who hang up are part of the tests."""


class FileServer:
    """Serves `content` at `url`, whatever the path.

    Attributes:
        content, etag: The file and its version; without an ETag nothing can be resumed safely.
        status: Answers every request with this error instead.
        ranges: Honours Range and If-Range.
        ignores_if_range: Sends the range of a changed file too, as it should not.
        range_shift: Begins ranges so many bytes away from where it was asked to, as it should not.
        cut_after: Closes the connection after so many bytes of a body, once.
        stall_after: Sends nothing more after so many bytes of a body, until it stops.
        requests: Headers of the requests so far.
        bodies: Bytes sent of each answer.
    """

    def __init__(self, content: bytes, etag: str | None = '"1"') -> None:
        self.content = content
        self.etag = etag
        self.status = 200
        self.ranges = True
        self.ignores_if_range = False
        self.range_shift = 0
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.requests: list[Message] = []
        self.bodies: list[int] = []
        self.stopping = threading.Event()
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """On a free loopback port."""
        files = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                files._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/release/model.onnx"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.headers)
        if self.status != 200:
            handler.send_error(self.status)
            return
        start = self._start(handler.headers)
        if start > len(self.content) - 1 and start:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(self.content)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if start:
            start += self.range_shift
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if self.etag is not None:
            handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        self._send(handler, body)

    def _start(self, headers: Message) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        same = self.ignores_if_range or headers.get("If-Range") in (None, self.etag)
        return int(asked[1]) if asked and same and self.ranges else 0

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if self.cut_after is not None:
            body, self.cut_after = body[: self.cut_after], None
            handler.close_connection = True
        if self.stall_after is not None:
            handler.wfile.write(body[: self.stall_after])
            self.stopping.wait(60)
            return
        self.bodies.append(len(body))
        handler.wfile.write(body)
