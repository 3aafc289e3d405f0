"""The real decoder, but for photos that tell it what to do: as one would that a hostile file has taken over."""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.photo import DecodedPhoto, PhotoLimits, PhotoWarning, decode_photo
from services.common.photo.types import Empty

SEGFAULT: Final = b"hostile: reads where nothing is"
ABORT: Final = b"hostile: aborts"
EXIT: Final = b"hostile: leaves without a word"
RAISES: Final = b"hostile: raises what nobody expects"
ENDLESS: Final = b"hostile: never ends"
HUNGRY: Final = b"hostile: takes all memory"
KILLS_ZYGOTE: Final = b"hostile: kills what made it"
TELLS: Final = b"tells what it sees"


def decode(data: bytes, limits: PhotoLimits, *, empty: Empty) -> DecodedPhoto:
    """As `decode_photo`."""
    if data == SEGFAULT:
        ctypes.string_at(0)
    if data == ABORT:
        os.abort()
    if data == EXIT:
        os._exit(0)
    if data == RAISES:
        raise KeyError("a bug of ours")
    if data == KILLS_ZYGOTE:
        os.kill(os.getppid(), signal.SIGKILL)
    if data in (ENDLESS, KILLS_ZYGOTE):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            pass
    if data == HUNGRY:
        hoard = []
        while True:
            hoard.append(np.empty(2**24, np.uint8))
    if data == TELLS:
        return _report(empty((2, 2, 3), np.uint8))
    return decode_photo(data, limits, empty=empty)


def nothing(data: bytes, limits: PhotoLimits, *, empty: Empty) -> DecodedPhoto:
    """A decoder that never works: as on a system that forbids what it needs."""
    raise PermissionError("not here")


def _report(image: NDArray[np.uint8]) -> DecodedPhoto:
    """What there is to see and to take, as warnings."""
    seen = {
        "VARIABLES": " ".join(os.environ),
        "DESCRIPTORS": " ".join(str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()),
        "MODULES": " ".join(sys.modules),
        "CORE_BYTES": str(resource.getrlimit(resource.RLIMIT_CORE)[0]),
        "OOM_SCORE_ADJ": Path("/proc/self/oom_score_adj").read_text().strip(),
    }
    warnings = tuple(PhotoWarning(code, text) for code, text in seen.items())
    return DecodedPhoto(image, None, "PNG", "RGB", False, None, False, warnings)
