"""How much memory a process has needed at most."""

from pathlib import Path


def peak_mb(process: int | str = "self") -> float:
    """Highest resident memory of a process since it began, in MiB; Linux only.

    The kernel's VmHWM and not getrusage's ru_maxrss, which a new process inherits from the one that started it.

    Raises:
        OSError: there is no such process any more.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {process} has ended")
