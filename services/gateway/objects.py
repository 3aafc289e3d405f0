"""Photos and results of jobs, kept by key in a folder or an S3 bucket.

    objects = Objects("file:///var/lib/packshot")     or "s3://BUCKET/PREFIX"
    digest = await objects.put(photo_key("acme", digest_of(data)), data)
    data = await objects.get(key, digest)

A key is `<tenant>/<what>/…`: the tenant comes first, so that nothing of one tenant can lie among another's. What is
read is held against its SHA-256, so a damaged object is an error and never a photo.

Where an s3:// bucket is and how to sign in comes from the standard environment: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_SHARED_CREDENTIALS_FILE, AWS_REGION, and AWS_ENDPOINT_URL for a server
that is not Amazon's.
"""

import errno
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from services.common.server import StartError
from services.gateway.aws_credentials import shared_credentials
from services.gateway.threads import Threads

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # obstore has them for type checkers only

STREAM_CHUNK_BYTES: Final = 256 * 2**10

# A segment never begins with a dot: no `..`, no hidden files. obstore keeps `#1` for files that are not whole yet.
_KEY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){1,7}", re.ASCII)
_SIGNED_URL_MAX_S: Final = 7 * 24 * 3600  # Signature Version 4 knows no longer ones
_UNFINISHED: Final = re.compile(r".+#\d+", re.ASCII)
_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")
_CLIENT_OPTIONS: "Final[ClientConfig]" = {
    "allow_http": True,  # the endpoint is the operator's, and https unless written otherwise
    "timeout": timedelta(seconds=120),
}
_RETRY: "Final[RetryConfig]" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class ObjectKeyError(ValueError):
    """A key that is not `<tenant>/<what>/…` of letters, digits, `.`, `_` and `-`."""


class ObjectStoreError(Exception):
    """An object could not be written, read or deleted.

    Attributes:
        reason: One of the codes below.
        message: What happened and what to do.
        is_permanent: Trying again will not help.

    Reasons:
        OBJECT_NOT_FOUND (permanent): No object has this key.
        OBJECT_CORRUPT (permanent): Its bytes are not those that were written.
        OBJECT_STORE_FULL: The disk or quota is used up.
        OBJECT_STORE_DENIED: Files' permissions or the S3 credentials do not allow it.
        OBJECT_STORE_UNAVAILABLE: The store does not answer, or answers with an error.
    """

    def __init__(self, reason: str, message: str, *, is_permanent: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.is_permanent = is_permanent


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a listing tells of an object."""

    key: str
    size_bytes: int
    modified_at: datetime


def digest_of(data: bytes) -> str:
    """SHA-256, 64 hex digits."""
    return sha256(data).hexdigest()


def photo_key(tenant: str, digest: str) -> str:
    """Where a tenant's photo of that SHA-256 lies."""
    return f"{tenant}/photos/{digest}"


def result_key(tenant: str, result: str, marketplace: str, file_name: str) -> str:
    """Where a file of a result lies, e.g. acme/results/0f…/amazon-us/packshot.jpg.

    Args:
        result: The result's own key (64 hex digits), see `state.tables.Result`.
        file_name: Output and extension, e.g. "packshot.jpg".
    """
    return f"{tenant}/results/{result}/{marketplace}/{file_name}"


class Objects:
    """A store of objects. Every method that takes a key raises ObjectKeyError for a bad one."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: file:///FOLDER (made if it is missing) or s3://BUCKET/PREFIX.

        Raises:
            StartError: The URL is of another kind, or the folder cannot be made.
        """
        parts = urlsplit(url)
        self._url = url.rstrip("/")
        self._threads = Threads("objects")
        self._folder: Path | None = None
        self._store: LocalStore | S3Store
        if parts.scheme == "file" and not parts.netloc and len(parts.path) > 1:
            self._folder = Path(unquote(parts.path))
            self._url = self._folder.as_uri()
            try:
                self._store = LocalStore(self._folder, mkdir=True)
            except (OSError, BaseError) as error:
                raise StartError(f"cannot use {url} for objects: {_first_line(error)}; {_FOLDER_CURE}") from error
        elif parts.scheme == "s3" and parts.netloc:
            self._store = S3Store(
                parts.netloc,
                prefix=unquote(parts.path).strip("/") or None,
                checksum_algorithm="SHA256",
                client_options=_CLIENT_OPTIONS,
                retry_config=_RETRY,
                credential_provider=shared_credentials(),
            )
        else:
            raise StartError(f"{url!r} is no place for objects; use file:///FOLDER or s3://BUCKET/PREFIX")

    async def check(self) -> None:
        """Writes, reads and deletes an object.

        Raises:
            StartError: One of them failed; says what to do.
        """
        key, data = f"packshot-check/{secrets.token_hex(16)}", secrets.token_bytes(16)
        try:
            await self.get(key, await self.put(key, data))
            await self.delete(key)
        except ObjectStoreError as error:
            cure = _FOLDER_CURE if self._folder else _S3_CURE
            raise StartError(f"cannot use {self._url} for objects: {error.message}; {cure}") from error

    async def put(self, key: str, data: bytes) -> str:
        """Writes an object whole or not at all, over what was there. When it returns the object survives a crash.

        Returns:
            Its SHA-256 as 64 hex digits.

        Raises:
            ObjectStoreError: OBJECT_STORE_FULL, OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE.
        """
        check_key(key)
        try:
            return await self._threads.run(self._put, key, data)
        except (BaseError, OSError) as error:
            _fail(error, key)

    async def get(self, key: str, expected_sha256: str) -> bytes:
        """Reads an object.

        Raises:
            ObjectStoreError: OBJECT_NOT_FOUND, OBJECT_CORRUPT, OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE.
        """
        check_key(key)
        try:
            return await self._threads.run(self._get, key, expected_sha256)
        except (BaseError, OSError) as error:
            _fail(error, key)

    async def stream(self, key: str, expected_sha256: str) -> AsyncIterator[bytes]:
        """Reads an object in chunks of at most about STREAM_CHUNK_BYTES, never all of it in memory.

        Raises:
            ObjectStoreError: As `get`; OBJECT_CORRUPT comes after the last chunk, so keep nothing before the end.
        """
        check_key(key)
        digest = sha256()
        try:
            found = await self._threads.run(obstore.get, self._store, key)
            async for chunk in self._threads.each(iter(found.stream(min_chunk_size=STREAM_CHUNK_BYTES))):
                data = bytes(chunk)
                digest.update(data)
                yield data
        except (BaseError, OSError) as error:
            _fail(error, key)
        _verify(key, digest.hexdigest(), expected_sha256)

    async def exists(self, key: str) -> bool:
        """Whether there is an object of this key. Raises ObjectStoreError when the store cannot tell."""
        check_key(key)
        try:
            await self._threads.run(obstore.head, self._store, key)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            _fail(error, key)
        return True

    async def delete(self, key: str) -> None:
        """Deletes an object; one that is not there is as good as deleted.

        Raises:
            ObjectStoreError: OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE.
        """
        check_key(key)
        try:
            await self._threads.run(obstore.delete, self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            _fail(error, key)

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """Lists a tenant's objects, in no order; those that come or go meanwhile may be missing.

        Args:
            prefix: Whole segments of a key, e.g. "acme" or "acme/photos".

        Raises:
            ObjectStoreError: OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE.
        """
        check_key(f"{prefix}/x")
        try:
            async for batch in self._threads.each(iter(obstore.list(self._store, prefix, chunk_size=1000))):
                for found in batch:
                    yield StoredObject(found["path"], found["size"], found["last_modified"])
        except (BaseError, OSError) as error:
            _fail(error, prefix)

    async def remove_unfinished(self, before: datetime) -> int:
        """Removes what writes left in a folder that were killed before then; how many files. A bucket has none.

        Raises:
            ObjectStoreError: OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE.
        """
        if self._folder is None:
            return 0
        try:
            return await self._threads.run(_remove_unfinished, self._folder, before.timestamp())
        except OSError as error:
            _fail(error, "left unfinished")

    async def signed_url(self, key: str, expires_s: float) -> str:
        """A URL that fetches the object without credentials.

        A bucket's URL works for `expires_s` seconds (at most 7 days). A folder has nobody to sign: its URL is the
        file's own, file:///…, for callers on the same machine, and does not expire.

        Raises:
            ObjectStoreError: OBJECT_STORE_DENIED without credentials to sign with.
            ValueError: `expires_s` is not within 1 second and 7 days.
        """
        check_key(key)
        if not 1 <= expires_s <= _SIGNED_URL_MAX_S:
            raise ValueError(f"a signed URL lives for 1 to {_SIGNED_URL_MAX_S} s, not {expires_s:g} s")
        if isinstance(self._store, LocalStore):
            return f"{self._url}/{key}"
        try:
            return await self._threads.run(obstore.sign, self._store, "GET", key, timedelta(seconds=int(expires_s)))
        except (BaseError, OSError) as error:
            _fail(error, key)

    def _put(self, key: str, data: bytes) -> str:
        # In one piece: a multipart upload that breaks off leaves parts behind that cost money and nobody sees.
        obstore.put(self._store, key, data, use_multipart=False)
        if self._folder:
            _sync(self._folder / key)
        return digest_of(data)

    def _get(self, key: str, expected_sha256: str) -> bytes:
        data = bytes(obstore.get(self._store, key).bytes())
        _verify(key, digest_of(data), expected_sha256)
        return data


def check_key(key: str) -> None:
    """Raises ObjectKeyError unless the key is 2 to 8 segments of letters, digits, `.`, `_`, `-`, none dot-first."""
    if _KEY.fullmatch(key) is None:
        raise ObjectKeyError(f"{key[:80]!r} is no key; use TENANT/WHAT/… of letters, digits, '.', '_' and '-'")


_FOLDER_CURE: Final = "name a folder that this user may write in, on a disk with room, in GATEWAY_OBJECTS_URL"
_S3_CURE: Final = (
    "check the bucket's name in GATEWAY_OBJECTS_URL, AWS_ENDPOINT_URL and AWS_REGION, and that AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY may read, write, list and delete there"
)


def _remove_unfinished(folder: Path, before_s: float) -> int:
    """`before_s`: as in a file's time of modification."""
    removed = 0
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name)
            # A file that is gone meanwhile has been finished.
            with suppress(FileNotFoundError):
                if _UNFINISHED.fullmatch(name) and file.stat().st_mtime < before_s:
                    file.unlink()
                    removed += 1
    return removed


def _sync(file: Path) -> None:
    """Makes file and name survive a power cut; obstore leaves both to the operating system."""
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _verify(key: str, digest: str, expected_sha256: str) -> None:
    if digest != expected_sha256:
        raise ObjectStoreError(
            "OBJECT_CORRUPT",
            f"object {key} has SHA-256 {digest}, not {expected_sha256}; restore it from a backup or work on it again",
            is_permanent=True,
        )


def _fail(error: Exception, key: str) -> NoReturn:
    code = _os_error(error)
    if isinstance(error, FileNotFoundError):
        raise ObjectStoreError("OBJECT_NOT_FOUND", f"there is no object {key}", is_permanent=True) from error
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise ObjectStoreError(
            "OBJECT_STORE_FULL", f"no room for object {key}; make room in the store", is_permanent=False
        ) from error
    if code in (errno.EACCES, errno.EPERM, errno.EROFS) or isinstance(
        error, PermissionDeniedError | UnauthenticatedError
    ):
        raise ObjectStoreError(
            "OBJECT_STORE_DENIED",
            f"the store does not let us at object {key} ({_first_line(error)}); check permissions and credentials",
            is_permanent=False,
        ) from error
    raise ObjectStoreError(
        "OBJECT_STORE_UNAVAILABLE", f"the store failed with object {key} ({_first_line(error)})", is_permanent=False
    ) from error


def _os_error(error: Exception) -> int | None:
    """The errno: obstore only writes it into the message."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _OS_ERROR.search(str(error))
    return int(found[1]) if found else None


def _first_line(error: Exception) -> str:
    """obstore's messages end in a dump of its own structures."""
    return str(error).split("\n", 1)[0]
