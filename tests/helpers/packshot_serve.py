"""`packshot serve` as a person runs it: NATS and four processes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKSHOT = Path(sys.executable).with_name("packshot")
START_TIMEOUT_S = 90
_ADDRESS = re.compile(r"\b(gateway|nats)\b.*?(127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Served:
    """HOST:PORT of each."""

    gateway: str
    nats: str


@contextmanager
def packshot_serve(folder: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    """Runs it on free ports, with its logs in a folder; it must stop in order."""
    said = folder / "stdout"
    with said.open("w") as stdout:
        process = subprocess.Popen(
            [PACKSHOT, "serve", "--port", "0", "--log-dir", folder, *arguments],
            stdout=stdout,
            env=os.environ | environment,
        )
    try:
        yield Served(**_addresses(process, said))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def _addresses(process: "subprocess.Popen[bytes]", said: Path) -> dict[str, str]:
    """What the command prints once all are ready."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        assert process.poll() is None, "packshot serve ended"
        found = dict(_ADDRESS.findall(said.read_text()))
        if len(found) == 2:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no addresses within {START_TIMEOUT_S} s")
