"""Where the models' files lie, and whether they are the published ones."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Final

from services.segmenter.registry import Checkpoint, ModelSpec

SHIPPED_DIR: Final = Path(__file__).parent / "models"
"""Weights that are part of the project."""


class Presence(StrEnum):
    """Whether a file is there, unread."""

    SHIPPED = "shipped"
    PRESENT = "present"
    MISSING = "missing"


class Verdict(StrEnum):
    """What a file's bytes say."""

    OK = "ok"
    WRONG = "wrong"
    MISSING = "missing"
    UNKNOWN_DIGEST = "unknown digest"  # nobody has stated one: only the size was compared


def weights_path(row: ModelSpec | Checkpoint, models_dir: Path) -> Path:
    """Where a row's file belongs: beside the code when it ships with it, in the operator's folder otherwise."""
    return (SHIPPED_DIR if row.url is None else models_dir) / row.weights_file


def presence(row: ModelSpec | Checkpoint, models_dir: Path) -> Presence:
    """Looks whether the file is there."""
    if not weights_path(row, models_dir).is_file():
        return Presence.MISSING
    return Presence.SHIPPED if row.url is None else Presence.PRESENT


def verify(row: ModelSpec | Checkpoint, file: Path) -> Verdict:
    """Compares a file with what its row says of size and SHA-256.

    Raises:
        OSError: The file cannot be read.
    """
    if not file.is_file():
        return Verdict.MISSING
    if row.size_bytes is not None and file.stat().st_size != row.size_bytes:
        return Verdict.WRONG
    if row.sha256 is None:
        return Verdict.UNKNOWN_DIGEST
    return Verdict.OK if digest_of(file) == row.sha256 else Verdict.WRONG


def digest_of(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
