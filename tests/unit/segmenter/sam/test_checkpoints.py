"""Published checkpoints pass; anything else is refused with what to do."""

import hashlib
from pathlib import Path

import pytest

from services.segmenter.sam.checkpoints import PUBLISHED, CheckpointError, check, is_published, sha256_of


@pytest.mark.parametrize("model", ["vit_b", "vit_l", "vit_h"])
def test_the_published_one_passes(model: str) -> None:
    check(str(PUBLISHED[model].sha256), model)


def test_published_or_not() -> None:
    assert is_published(PUBLISHED["vit_h"].sha256)
    assert not is_published("0" * 64)
    assert not is_published(None)


def test_another_model_s_checkpoint_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"this is sam_vit_l_0b3195\.pth; export it with --model vit_l"):
        check(str(PUBLISHED["vit_l"].sha256), "vit_b")


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not that of the published sam_vit_h_4b8939\.pth .*--any-checkpoint"):
        check("0" * 64, "vit_h")


def test_a_file_s_digest(tmp_path: Path) -> None:
    file = tmp_path / "sam.pth"
    file.write_bytes(b"weights")
    assert sha256_of(file) == hashlib.sha256(b"weights").hexdigest()


def test_a_missing_file_says_how_to_fetch_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*packshot models fetch sam-vit-b or "):
        sha256_of(tmp_path / "none.pth")
