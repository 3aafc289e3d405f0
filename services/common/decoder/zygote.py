"""Forks a child per photo and ends the ones that take too long: `python -m … MODULE FUNCTION`, orders on stdin.

One thread and none of gRPC's, so that a fork is safe. It never looks at a photo itself. It ends when the service
does, because nobody holds the other end of its socket any more.
"""

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import pillow_heif
from PIL import AvifImagePlugin, Image

from services.common.decoder import sandbox
from services.common.decoder.messages import Order, error_message, photo_message, receive, send
from services.common.decoder.shared_arrays import SharedArrays
from services.common.photo.color import srgb_profile, to_srgb
from services.common.photo.types import DecodedPhoto
from services.common.photo_error import PhotoError

Decode = Callable[..., DecodedPhoto]

_EXIT_WORDLESS: Final = 70  # EX_SOFTWARE of sysexits.h; nobody asks who got an answer
_FRAMES: Final = -6
_LONGEST_TEXT: Final = 4000


@dataclass(frozen=True, slots=True)
class _Child:
    """A process with a photo."""

    pid: int
    ends: int
    """Its pidfd: readable when it has ended."""
    reply: socket.socket
    cpu_s: int
    until: float


def main(decode: Decode) -> None:
    """Serves orders until the service is gone."""
    # dav1d would start a thread per core, each with memory of its own.
    AvifImagePlugin.DEFAULT_MAX_THREADS = pillow_heif.options.DECODE_THREADS
    to_srgb(Image.new("RGB", (1, 1)), srgb_profile())  # every packshot has this profile: children find it understood
    gc.freeze()  # so that no child's garbage collection copies the pages it shares with us
    with socket.socket(fileno=sys.stdin.fileno()) as orders, selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        send(orders, {"ready": True})
        _serve(orders, selector, decode)


def _serve(orders: socket.socket, selector: selectors.BaseSelector, decode: Decode) -> None:
    children: dict[int, _Child] = {}
    while True:
        for key, _ in selector.select(_seconds_left(children.values())):
            if key.fileobj is not orders:
                _bury(children.pop(key.fd), selector)
                continue
            message, files = receive(orders)
            if message is None:
                return  # the kernel ends the children with us
            child = _fork(Order.from_json(message), files, decode)
            if child is not None:
                children[child.ends] = child
                selector.register(child.ends, selectors.EVENT_READ)
        now = time.monotonic()
        for child in [child for child in children.values() if child.until <= now]:
            os.kill(child.pid, signal.SIGKILL)
            _bury(children.pop(child.ends), selector, is_late=True)


def _seconds_left(children: Iterable[_Child]) -> float | None:
    """Until the first child's time is up; None without children."""
    return max(min(child.until for child in children) - time.monotonic(), 0.0) if children else None


def _fork(order: Order, files: list[int], decode: Decode) -> _Child | None:
    """A child at work; None when the system gives no process, which the answer says."""
    file, reply = files[0], socket.socket(fileno=files[1])
    zygote = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(file)
        with reply:
            _tell(reply, {"refused": f"no process for a decoder: {error.strerror}"})
        return None
    if pid == 0:
        _work(order, file, reply, decode, zygote)
    os.close(file)
    return _Child(pid, os.pidfd_open(pid), reply, order.cpu_s, time.monotonic() + order.wall_s)


def _work(order: Order, file: int, reply: socket.socket, decode: Decode, zygote: int) -> None:
    """The child's whole life; does not return."""
    try:
        _close_all_but(file, reply.fileno())
        send(reply, *_answer(order, file, decode, zygote))
    finally:
        os._exit(_EXIT_WORDLESS)  # nothing may lead back into the zygote's loop


def _answer(order: Order, file: int, decode: Decode, zygote: int) -> tuple[dict[str, Any], list[int]]:
    """The photo, what is wrong with it, or how the decoder broke."""
    arrays = SharedArrays()
    try:
        sandbox.enter(order.memory_bytes, order.cpu_s, zygote)
        with os.fdopen(file, "rb") as photo:
            data = photo.read()
        return photo_message(decode(data, order.limits, empty=arrays.empty), arrays)
    except PhotoError as error:
        return error_message(error), []
    except MemoryError:
        return error_message(PhotoError("PHOTO_DECODE_MEMORY", "there is no more")), []
    except Exception as error:
        return {"broke": type(error).__name__, "traceback": traceback.format_exc(limit=_FRAMES)[:_LONGEST_TEXT]}, []


def _close_all_but(*kept: int) -> None:
    """The zygote's orders and the answers to other photos are none of the child's business; and libraries print
    remarks about damaged files, which the service's log is no place for."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    start = 3
    for number in sorted(kept):
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))


def _bury(child: _Child, selector: selectors.BaseSelector, *, is_late: bool = False) -> None:
    """Says how a child ended; who has its photo already does not listen any more."""
    _, status, used = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    # Who does not hear SIGXCPU is ended by SIGKILL a second later.
    is_late = is_late or code == -signal.SIGXCPU or used.ru_utime + used.ru_stime >= child.cpu_s
    selector.unregister(child.ends)
    os.close(child.ends)
    with child.reply:
        _tell(child.reply, {"ended": "timeout" if is_late else "crash", "code": code})


def _tell(reply: socket.socket, message: dict[str, Any]) -> None:
    """Sends, if anybody listens."""
    reply.setblocking(False)
    try:
        send(reply, message)
    except OSError:
        return


if __name__ == "__main__":
    main(getattr(importlib.import_module(sys.argv[1]), sys.argv[2]))
