"""Becomes another program that the kernel ends when its parent dies: `python -I -S leash.py PARENT_PID PROGRAM …`.

Linux keeps the wish across exec (prctl(2), PR_SET_PDEATHSIG). Voicing it here rather than in subprocess's `preexec_fn`
lets Python start children with vfork: nothing of the parent, whose locks gRPC's threads may hold, runs in the child.
The parent is the thread that started us: it must live as long as its children may.
"""

import ctypes
import os
import signal
import sys
from typing import Final, NoReturn

_PR_SET_PDEATHSIG: Final = 1
_EXIT_CANNOT_RUN: Final = 126  # as a shell says it


def main(parent: int, command: list[str]) -> NoReturn:
    """Replaces this process by the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python's start; the program shall find the usual
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is meant to be there  # nosec B606
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(_EXIT_CANNOT_RUN)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
