"""Other tools, measured in the same run as we are: each in its own Python, one script a tool.

A peer that cannot run is reported, never left out.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.rembg_mattes import NO_WEIGHTS, NOT_INSTALLED


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool with its settings: the script beside this file that runs it, and the script's options."""

    label: str
    script: str
    options: tuple[str, ...]


PEERS = {
    "rembg-u2netp": Peer("rembg, u2netp", "rembg_mattes.py", ("--model", "u2netp")),
    "rembg-u2netp-matting": Peer(
        "rembg, u2netp + alpha matting", "rembg_mattes.py", ("--model", "u2netp", "--alpha-matting")
    ),
}


class PeerUnavailableError(Exception):
    """The peer is not installed or has no weights; the message says which."""


def run_peer(peer: Peer, photos: Sequence[Path], out: Path, *, python: str, weights: Path | None) -> str:
    """Write the peer's matte of every photo to `out` as <stem>.png, 8-bit grey; return the peer's version.

    Args:
        python: the interpreter that has the peer.
        weights: folder with the peer's weights; None leaves the environment's U2NET_HOME.

    Raises:
        PeerUnavailableError: when it is not installed there, or its weights are missing.
        subprocess.CalledProcessError: when it fails.
    """
    command = [python, str(Path(__file__).parent / peer.script), *peer.options, "--out", str(out), *map(str, photos)]
    environment = dict(os.environ) if weights is None else {**os.environ, "U2NET_HOME": str(weights)}
    try:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise PeerUnavailableError("not installed: --peer-python names no Python") from error
    except subprocess.CalledProcessError as error:
        if error.returncode in (NOT_INSTALLED, NO_WEIGHTS):
            what = "not installed" if error.returncode == NOT_INSTALLED else "no weights"
            raise PeerUnavailableError(f"{what}: {error.stderr.strip().splitlines()[-1]}") from error
        raise
    return ran.stdout.strip().splitlines()[-1]
