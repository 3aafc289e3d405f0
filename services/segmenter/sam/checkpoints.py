"""The checkpoints that Meta published, Apache-2.0, and how to tell them.

The six digits in their names begin the files' MD5 sums; the sha256 digests here are those that several independent
projects verify their downloads by.

Reference: https://github.com/facebookresearch/segment-anything#model-checkpoints
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


class CheckpointError(Exception):
    """A checkpoint is not there, not the published one, or not of this model; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Attributes:
    model: the name of its image encoder.
    file: its published name.
    sha256: its digest.
    size_bytes: its size.
    """

    model: str
    file: str
    sha256: str
    size_bytes: int

    @property
    def url(self) -> str:
        return f"https://dl.fbaipublicfiles.com/segment_anything/{self.file}"


CHECKPOINTS = {
    checkpoint.model: checkpoint
    for checkpoint in (
        Checkpoint(
            "vit_b",
            "sam_vit_b_01ec64.pth",
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            375_042_383,
        ),
        Checkpoint(
            "vit_l",
            "sam_vit_l_0b3195.pth",
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            1_249_524_607,
        ),
        Checkpoint(
            "vit_h",
            "sam_vit_h_4b8939.pth",
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            2_564_550_879,
        ),
    )
}


def sha256_of(file: Path) -> str:
    """Digest of a file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"cannot read the checkpoint {file} ({error.strerror}); download one first: "
            + ", ".join(checkpoint.url for checkpoint in CHECKPOINTS.values())
        ) from error


def check(digest: str, model: str) -> None:
    """Pass only the published checkpoint of a model.

    Raises:
        CheckpointError: it is another model's, or unknown.
    """
    wanted = CHECKPOINTS[model]
    if digest == wanted.sha256:
        return
    for other in CHECKPOINTS.values():
        if digest == other.sha256:
            raise CheckpointError(f"this is {other.file}; export it with --model {other.model}")
    raise CheckpointError(
        f"sha256 {digest} is not that of the published {wanted.file} ({wanted.sha256}); download it again from "
        f"{wanted.url}, or export a checkpoint of your own with --any-checkpoint"
    )
