"""Other tools, measured in the same run as we are: each in its own Python, one script a tool.

A peer that cannot run is reported, never left out.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.memory import peak_mb
from bench.peers.rembg_cutouts import NO_WEIGHTS, NOT_INSTALLED

_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool with its settings: the script beside this file that runs it, and the script's options."""

    label: str
    script: str
    options: tuple[str, ...] = ()


# They need nothing but the photo.
PEERS = {
    "rembg-u2netp": Peer("rembg, u2netp", "rembg_cutouts.py", ("--model", "u2netp")),
    "rembg-u2netp-matting": Peer(
        "rembg, u2netp + alpha matting", "rembg_cutouts.py", ("--model", "u2netp", "--alpha-matting")
    ),
}
# With its multi-level foreground. It needs --trimaps FOLDER, or --mattes FOLDER and then estimates colours only.
PYMATTING = Peer("pymatting, closed form", "pymatting_cutouts.py")


@dataclass(frozen=True, slots=True)
class PeerRun:
    """What a peer did: its version, seconds by stem of photo, why it refused photos, highest resident memory."""

    version: str
    seconds: Mapping[str, float]
    refused: Mapping[str, str]
    peak_mb: float


class PeerUnavailableError(Exception):
    """The peer is not installed or has no weights; the message says which."""


def run_peer(
    peer: Peer, photos: Sequence[Path], out: Path, *, python: str, weights: Path | None, options: Sequence[str] = ()
) -> PeerRun:
    """Write the peer's cutout of every photo that it does not refuse to `out` as <stem>.png, 8-bit RGBA.

    Args:
        python: the interpreter that has the peer.
        weights: folder with the peer's weights; None leaves the environment's U2NET_HOME.
        options: further options of the peer's script.

    Raises:
        PeerUnavailableError: when it is not installed there, or its weights are missing.
        subprocess.CalledProcessError: when it fails.
    """
    script = str(Path(__file__).parent / peer.script)
    command = [python, script, *peer.options, *options, "--out", str(out), *map(str, photos)]
    environment = dict(os.environ) if weights is None else {**os.environ, "U2NET_HOME": str(weights)}
    try:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError as error:
        raise PeerUnavailableError("not installed: --peer-python names no Python") from error
    most_mb = 0.0
    while process.returncode is None:
        with suppress(OSError):
            most_mb = peak_mb(process.pid)
        with suppress(subprocess.TimeoutExpired):
            stdout, stderr = process.communicate(timeout=_LOOK_EVERY_S)
    if process.returncode in (NOT_INSTALLED, NO_WEIGHTS):
        what = "not installed" if process.returncode == NOT_INSTALLED else "no weights"
        raise PeerUnavailableError(f"{what}: {stderr.strip().splitlines()[-1]}")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stdout, stderr)
    return PeerRun(**json.loads(stdout.strip().splitlines()[-1]), peak_mb=most_mb)
