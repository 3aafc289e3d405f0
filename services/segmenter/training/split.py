"""Which files of the training pack are never trained on.

The choice depends on a file's name alone, so that the trainer, the benchmarks and anyone who repeats the work agree
on it without a list.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_ONE_IN = 8


def is_held_out(photo: Path) -> bool:
    """True for about one file in eight, chosen by the digest of "folder/stem"."""
    digest = hashlib.sha256(f"{photo.parent.name}/{photo.stem}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % _ONE_IN == 0
