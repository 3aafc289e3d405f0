"""What a child gives up before it looks at a photo; no way back."""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_OPEN_FILES: Final = 32
_DIES_FIRST: Final = "1000"

_libc: Final = ctypes.CDLL(None)


def enter(memory_bytes: int, cpu_s: int, zygote: int) -> None:
    """Confines this process.

    It ends with its zygote, leaves no core file (which would hold a customer's photo), gains no rights by running
    programs, is what the kernel ends first when memory runs out, and may take so much memory beyond what it has, and so
    much processor time.

    Args:
        memory_bytes: For the photo; also the longest file it may write.
        cpu_s: Processor time of all its threads, after which the kernel sends SIGXCPU, and SIGKILL a second later.
        zygote: Process id of the parent.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote:  # it died before the line above
        sys.exit(1)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    Path("/proc/self/oom_score_adj").write_text(_DIES_FIRST)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory_bytes)
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)
    _limit(resource.RLIMIT_FSIZE, memory_bytes)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Lowers the limits, the hard one as far as the soft one unless said; what is lower already stays."""
    _, bound = resource.getrlimit(what)
    if bound == resource.RLIM_INFINITY:
        bound = sys.maxsize
    resource.setrlimit(what, (min(soft, bound), min(soft if hard is None else hard, bound)))
