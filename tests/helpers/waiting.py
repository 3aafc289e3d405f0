"""Waiting for other processes, with a bound."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Raises TimeoutError when the condition does not become true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {timeout_s:g} s")
        time.sleep(0.02)


def ended(pid: int) -> bool:
    """The process is gone, or waits only for somebody to read its exit code."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"
