"""What photos are segmented with, as one digest: whoever keeps results knows by it when they are out of date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

_SERVICES: Final = Path(__file__).parents[1]
_SOURCES: Final = (_SERVICES / "segmenter", _SERVICES / "common" / "photo")  # what pixels go through
_LEFT_OUT: Final = {"training", "model_repository"}  # they make models; the models' weights have digests of their own


@dataclass(frozen=True, slots=True)
class Description:
    """Attributes:
    proposers: names, in the order they are asked; one that refines stands last.
    digest: "sha256:" and 64 hexadecimal digits; equal ones segment the same photo alike.
    """

    proposers: tuple[str, ...]
    digest: str


def describe(weights: Mapping[str, str]) -> Description:
    """Describe a segmenter.

    Args:
        weights: what every proposer runs, by its name, in order: digests of weights, or "" where there are none.
    """
    parts = {"weights": list(weights.items()), "version": version("packshot"), "code": code_digest(*_SOURCES)}
    return Description(tuple(weights), f"sha256:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}")


@cache
def code_digest(*folders: Path) -> str:
    """SHA-256, in hexadecimal, over names and bytes of the Python files in folders: a change of any changes it.

    Read once: code that runs does not change with its files.
    """
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder)
            if not _LEFT_OUT.intersection(name.parts):
                digest.update(f"{name.as_posix()}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
