"""nats-server on this machine."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Final

from packshot.cli.failures import CommandError

HOST: Final = "127.0.0.1"


def nats_command(port: int, store: Path, *, without: str) -> list[str]:
    """Runs a nats-server with JetStream on a port of this machine.

    Args:
        without: What a person can do who has none.

    Raises:
        CommandError: It is not installed.
    """
    program = shutil.which("nats-server", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise CommandError(
            "nats-server is not installed", cure=f"On Debian and Ubuntu: apt-get install nats-server. {without}"
        )
    return [program, "--addr", HOST, "--port", str(port), "--jetstream", "--store_dir", str(store)]


async def nats_answers(address: str) -> bool:
    """Whether a nats-server takes connections at HOST:PORT."""
    host, port = address.rsplit(":", 1)
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    try:
        return (await asyncio.wait_for(reader.readline(), 1)).startswith(b"INFO")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
