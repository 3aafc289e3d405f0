"""The service's side of isolated decoding: photos go out as files, pixels come back as shared memory."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
import numpy as np
import structlog

from services.common.decoder import messages
from services.common.decoder.messages import MessageError, Order
from services.common.errors import ServiceError
from services.common.photo import DEFAULT_LIMITS, DecodedPhoto, PhotoError, PhotoLimits, decode_photo, encode_jpeg
from services.common.server import StartError
from services.common.settings import StageSettings

log = structlog.get_logger()

_START_S: Final = 60.0
_STOP_S: Final = 5.0
_GRACE_S: Final = 10.0
_RETRY_AFTER_S: Final = 1.0
_ATTEMPTS: Final = 2
_CLOCK: Final = 4
_MIB: Final = 2**20
_ZYGOTE: Final = "services.common.decoder.zygote"
# What a program needs to find its libraries and its words; nothing else of the service's environment goes along.
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")
_OWN_VARIABLES: Final = {
    # One heap and no threads of BLAS: each would reserve address space, which is limited.
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Decoder(Protocol):
    """Turns photos into pixels."""

    def start(self) -> None:
        """Waits until it is ready; raises StartError."""

    def decode(self, data: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> DecodedPhoto:
        """As `decode_photo`, whose errors it raises."""

    def close(self) -> None:
        """Ends it; nothing may be decoded any more."""


def create_decoder(settings: StageSettings) -> Decoder:
    """The decoder of a service's settings: isolated, or in its own process where no workers are asked for."""
    if not settings.decode_workers:
        return InProcessDecoder()
    return IsolatedDecoder(settings.decode_workers, settings.decode_timeout_s, settings.decode_memory_mb)


class InProcessDecoder:
    """Decodes where it is called: for files of the person who runs it."""

    def start(self) -> None:
        """There is nothing to wait for."""

    def decode(self, data: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> DecodedPhoto:
        """As `decode_photo`."""
        return decode_photo(data, limits)

    def close(self) -> None:
        """There is nothing to end."""


class IsolatedDecoder:
    """Decodes each photo in a process of its own; safe to call from several threads.

    Args:
        workers: Photos decoded at the same time; more wait.
        timeout_s: Processor time a photo may take, and four times as much by the clock: a busy machine is not the
            photo's fault.
        memory_mb: Memory a photo may take beyond what the decoder's process has, in MiB.
        decode: What decodes, with the arguments of `decode_photo`; the zygote imports it by its name.
    """

    def __init__(
        self, workers: int, timeout_s: int, memory_mb: int, decode: Callable[..., DecodedPhoto] = decode_photo
    ) -> None:
        self._slots = threading.BoundedSemaphore(workers)
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._decode = (decode.__module__, decode.__name__)
        self._lock = threading.Lock()
        self._running: _Zygote | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the zygote, waits until it is ready, and decodes a photo as a trial.

        Raises:
            StartError: It ended instead, took too long, or cannot decode: the system forbids what a child needs.
        """
        try:
            self._zygote().wait_until_ready()
            self.decode(encode_jpeg(np.zeros((8, 8, 3), np.uint8)))
        except OSError as error:
            raise StartError(f"no process for the decoders: {error.strerror}") from error
        except (PhotoError, ServiceError) as error:
            raise StartError(
                f"photos cannot be decoded in processes of their own here (the log says why); *_DECODE_WORKERS=0 "
                f"decodes them in the service's: {error}"
            ) from error

    def decode(self, data: bytes, limits: PhotoLimits = DEFAULT_LIMITS) -> DecodedPhoto:
        """As `decode_photo`, with two reasons more; starts the zygote where it does not run.

        Raises:
            PhotoError: also PHOTO_DECODER_CRASHED and PHOTO_DECODE_TIMEOUT.
            ServiceError: UNAVAILABLE, when the system gives no process, or after `close`.
        """
        order = Order(self._timeout_s, self._timeout_s * _CLOCK, self._memory_mb * _MIB, limits)
        with self._slots:
            for _ in range(_ATTEMPTS):
                try:
                    zygote = self._zygote()
                except OSError as error:
                    raise _unavailable(f"no process for the decoders: {error.strerror}") from error
                try:
                    message, files = zygote.ask(order, data)
                except _ZygoteGoneError:
                    self._forget(zygote)
                    continue
                try:
                    return self._outcome(message, files, limits)
                finally:
                    for file in files:
                        os.close(file)  # what is mapped stays
        raise _crashed("its process went away")

    def close(self) -> None:
        """Ends the zygote and what it decodes."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                self._running.end()
                self._running = None

    @property
    def pid(self) -> int | None:
        """Of the zygote; None while there is none."""
        return self._running.pid if self._running is not None else None

    def _zygote(self) -> "_Zygote":
        """The one that runs, or a new one. Raises OSError when the system gives no process."""
        with self._lock:
            if self._closed:
                raise _unavailable("the service stops")
            if self._running is None:
                self._running = _Zygote(self._decode)
            return self._running

    def _forget(self, gone: "_Zygote") -> None:
        """What it decoded is decoded again by another; another thread may have seen to that."""
        with self._lock:
            if self._running is gone:
                log.warning("photo decoders ended, starting them again")
                gone.end()
                self._running = None

    def _outcome(self, message: dict[str, Any], files: list[int], limits: PhotoLimits) -> DecodedPhoto:
        """The photo, or what became of it."""
        try:
            match message:
                case {"photo": _}:
                    return messages.photo_of(message, files, limits)
                case {"error": _}:
                    error = messages.error_of(message)
                    raise self._out_of_memory() if error.reason == "PHOTO_DECODE_MEMORY" else error
                case {"broke": how}:
                    log.error("photo decoder broke", exception=message.get("traceback"))
                    raise _crashed(str(how))
                case {"refused": why}:
                    raise _unavailable(str(why))
                case {"ended": "timeout"}:
                    raise PhotoError(
                        "PHOTO_DECODE_TIMEOUT",
                        f"Decoding took longer than {self._timeout_s} s; save the photo anew as a plain JPEG or PNG.",
                        {"limit_s": str(self._timeout_s)},
                    )
                case {"ended": "crash", "code": int(code)}:
                    if code == -signal.SIGKILL:  # the kernel: of a kill of ours the zygote says so
                        raise self._out_of_memory()
                    raise _crashed(signal.Signals(-code).name if code < 0 else f"exit code {code}")
                case _:
                    raise MessageError("the decoder sent something else than an answer")
        except MessageError as error:
            raise _crashed(str(error)) from error

    def _out_of_memory(self) -> PhotoError:
        return PhotoError(
            "PHOTO_DECODE_MEMORY",
            f"Decoding the photo needs more than {self._memory_mb} MiB; send fewer pixels, or 8 bits a sample.",
            {"limit_mb": str(self._memory_mb)},
        )


def _crashed(how: str) -> PhotoError:
    log.warning("photo decoder crashed", how=how)
    return PhotoError(
        "PHOTO_DECODER_CRASHED",
        f"The photo broke its decoder ({how}); the file is damaged or hostile. Save it anew as a plain JPEG or PNG.",
        {"how": how},
    )


def _unavailable(why: str) -> ServiceError:
    return ServiceError(
        grpc.StatusCode.UNAVAILABLE,
        "DECODER_UNAVAILABLE",
        f"photos cannot be decoded just now: {why}",
        retry_after_s=_RETRY_AFTER_S,
    )


class _ZygoteGoneError(Exception):
    """The zygote ended, and with it what it decoded."""


class _Zygote:
    """The process that forks decoders, and our end of its socket. Raises OSError when the system gives none."""

    def __init__(self, decode: tuple[str, str]) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _ZYGOTE, *decode],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_environment(),
                process_group=0,  # a Ctrl-C in the terminal is for the service, which has photos to finish
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        self._orders.settimeout(_START_S)
        try:
            message, _ = messages.receive(self._orders)
        except (OSError, MessageError) as error:
            raise StartError(f"the decoder's process does not answer: {error}") from error
        if message is None:
            raise StartError(f"the decoder's process ended with code {self._process.wait()}")

    def ask(self, order: Order, data: bytes) -> tuple[dict[str, Any], list[int]]:
        """The answer about a photo and its descriptors, which are the caller's to close.

        Raises:
            _ZygoteGoneError: There is none, and there will be none.
            MessageError: It is no message.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.settimeout(order.wall_s + _GRACE_S)
            try:
                with theirs, os.fdopen(os.memfd_create("photo"), "wb") as file:
                    file.write(data)
                    file.flush()
                    file.seek(0)
                    messages.send(self._orders, order.to_json(), [file.fileno(), theirs.fileno()])
                message, files = messages.receive(ours)
            except OSError as error:
                raise _ZygoteGoneError from error
        if message is None:
            raise _ZygoteGoneError
        return message, files

    def end(self) -> None:
        """Its children end with it."""
        self._orders.close()  # which tells it
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, **_OWN_VARIABLES, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}
