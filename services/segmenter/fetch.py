"""Fetches published weights over HTTP: goes on where it was cut off, and puts a file in place only when it is whole.

What has come lies in NAME.part, and NAME.part.etag says of which version of the server's file. A later call asks for
the rest of that very version; a server that has another one, or cannot send parts, sends everything, and the file
begins anew.

References
----------
RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range) and 15.3.7 (206 Partial Content).
"""

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from services.segmenter.model_files import Verdict, verify
from services.segmenter.registry import Checkpoint, ModelSpec

_TIMEOUT: Final = httpx.Timeout(30, connect=15)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

Report = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where it is known, the bytes of the whole."""


class FetchError(Exception):
    """The weights could not be fetched. `cause` says why, `cure` what to do."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(f"{cause}. {cure}")
        self.cause = cause
        self.cure = cure


class _Part:
    """What has come so far of a file."""

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(f"{file.name}.part")
        self._etag_path = file.with_name(f"{file.name}.part.etag")

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def etag(self) -> str:
        """The version of the server's file; empty where it is not known."""
        return self._etag_path.read_text() if self._etag_path.is_file() else ""

    def begin(self, etag: str | None) -> None:
        """Empties it. Weak validators do not promise the same bytes (RFC 9110, section 8.8.1) and are not kept."""
        self.path.write_bytes(b"")
        self._etag_path.write_text("" if etag is None or etag.startswith("W/") else etag)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag_path.unlink(missing_ok=True)

    def become(self, file: Path) -> None:
        self.path.replace(file)
        self._etag_path.unlink(missing_ok=True)


def kept_bytes(file: Path) -> int:
    """How much of a file an earlier call has left to go on from."""
    return _Part(file).size_bytes


def fetch(row: ModelSpec | Checkpoint, file: Path, report: Report) -> None:
    """Fetches a row's weights; the file appears when its size and SHA-256 are those of the row, as far as it has any.

    Args:
        row: Of the registry, with a url.
        file: Where the weights shall be; one that is there is replaced.
        report: Hears of the progress.

    Raises:
        FetchError: No network, no such file at the server, a cut connection, a full disk, other bytes than expected.
            What has come is kept, but for wrong bytes.
        ValueError: The row has no url.
    """
    if row.url is None:
        raise ValueError(f"{row.name} ships with the project")
    part = _Part(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if row.size_bytes is None or part.size_bytes != row.size_bytes:
            with httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
                _download(client, row.url, row, part, report)
        if verify(row, part.path) is Verdict.WRONG:
            part.discard()
            raise FetchError(
                f"{row.name}: what {row.url} sent is not the published file (its SHA-256 is another)",
                "It was deleted. Fetch it again; if that does not help, the file there has changed: do not use it.",
            )
        part.become(file)
    except httpx.HTTPError as error:
        raise _explained(error, row, row.url, file) from error
    except OSError as error:
        raise _cannot_write(error, file) from error


def _download(client: httpx.Client, url: str, row: ModelSpec | Checkpoint, part: _Part, report: Report) -> None:
    have = part.size_bytes if part.etag else 0
    headers = {"Accept-Encoding": "identity"}  # parts of compressed files are of no use
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part.etag}
    with client.stream("GET", url, headers=headers) as response:
        start, total = _span(response)
        same_version = response.headers.get("ETag", part.etag) == part.etag
        if have and (
            response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE  # it is longer than the server's file
            or (response.status_code == httpx.codes.PARTIAL_CONTENT and (start != have or not same_version))
        ):
            part.discard()
        else:
            response.raise_for_status()
            if None not in (total, row.size_bytes) and total != row.size_bytes:
                raise FetchError(
                    f"{row.name}: {url} has {total} bytes, the published file {row.size_bytes}",
                    "It has changed there (look for a newer version of Packshot), or a proxy or login page answers"
                    " instead of the server.",
                )
            if start == 0:
                part.begin(response.headers.get("ETag"))
            if total is not None and shutil.disk_usage(part.path.parent).free < total - start:
                raise OSError(errno.ENOSPC, "No space left on device")
            _append(response, part.path, start, total, report)
            return
    _download(client, url, row, part, report)  # all of it


def _span(response: httpx.Response) -> tuple[int, int | None]:
    """Where in the file the body begins, and the bytes of the whole file where they are said."""
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None:
            raise httpx.RemoteProtocolError("a partial answer that does not say which part it is")
        return int(found[1]), int(found[2]) if found[2] != "*" else None
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None else None


def _append(response: httpx.Response, path: Path, start: int, total: int | None, report: Report) -> None:
    done = start
    report(done, total)
    with path.open("ab") as stream:
        for chunk in response.iter_raw():
            stream.write(chunk)
            done += len(chunk)
            report(done, total)


def _explained(error: httpx.HTTPError, row: ModelSpec | Checkpoint, url: str, file: Path) -> FetchError:
    by_hand = f"fetch {url} elsewhere, save it as {file} and check it with `packshot models verify {row.name}`"
    match error:
        case httpx.HTTPStatusError(response=response) if response.status_code in (401, 403):
            return FetchError(
                f"{row.name}: the server asks for a login or a consent ({response.status_code}) for {url}",
                f"Agree to its terms in a browser: {by_hand}.",
            )
        case httpx.HTTPStatusError(response=response) if response.status_code in (404, 410):
            return FetchError(
                f"{row.name}: the server has no such file ({response.status_code}): {url}",
                f"Look for a newer version of Packshot, or {by_hand}.",
            )
        case httpx.HTTPStatusError(response=response):
            return FetchError(
                f"{row.name}: the server cannot answer now ({response.status_code} {response.reason_phrase}): {url}",
                "Try again later.",
            )
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return FetchError(
                f"{row.name}: {httpx.URL(url).host} cannot be reached ({str(error) or 'no answer'})",
                f"Is this machine online? Name a proxy in HTTPS_PROXY if it needs one. Without a network: {by_hand}.",
            )
        case _:
            why = str(error) or type(error).__name__
            return FetchError(
                f"{row.name}: the connection broke ({why}); {kept_bytes(file)} bytes are kept",
                "Run the command again: it goes on from there.",
            )


def _cannot_write(error: OSError, file: Path) -> FetchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FetchError(
            f"the disk with {file.parent} is full",
            "Make room, or choose another folder with --models-dir; what has come is kept.",
        )
    reason = (error.strerror or str(error)).lower()
    return FetchError(f"cannot write {file}: {reason}", "Choose another folder with --models-dir.")
