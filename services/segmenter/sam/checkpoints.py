"""Whether a checkpoint is one that Meta published; the registry has the rows.

The six digits in the files' names begin their MD5 sums, not their sha256.
"""

from __future__ import annotations

from pathlib import Path

from services.segmenter.model_files import digest_of
from services.segmenter.registry import CHECKPOINTS, Checkpoint

PUBLISHED: dict[str, Checkpoint] = {
    name.removeprefix("sam-").replace("-", "_"): row for name, row in CHECKPOINTS.items() if name.startswith("sam-")
}
"""Rows by segment-anything's names of the image encoder, e.g. "vit_b"."""


class CheckpointError(Exception):
    """A checkpoint is not there, not the published one, or not of this model; the message says what to do."""


def sha256_of(file: Path) -> str:
    """Digest of a file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return digest_of(file)
    except OSError as error:
        raise CheckpointError(
            f"cannot read the checkpoint {file} ({error.strerror}); fetch one first with packshot models fetch "
            f"{' or '.join(row.name for row in PUBLISHED.values())}"
        ) from error


def check(digest: str, model: str) -> None:
    """Pass only the published checkpoint of a model.

    Raises:
        CheckpointError: it is another model's, or unknown.
    """
    wanted = PUBLISHED[model]
    if digest == wanted.sha256:
        return
    for other, row in PUBLISHED.items():
        if digest == row.sha256:
            raise CheckpointError(f"this is {row.weights_file}; export it with --model {other}")
    raise CheckpointError(
        f"sha256 {digest} is not that of the published {wanted.weights_file} ({wanted.sha256}); fetch it again with "
        f"packshot models fetch {wanted.name}, or export a checkpoint of your own with --any-checkpoint"
    )


def is_published(digest: str | None) -> bool:
    """Whether a digest is that of a published checkpoint."""
    return digest is not None and digest in {row.sha256 for row in PUBLISHED.values()}
