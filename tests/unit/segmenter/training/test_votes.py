"""A teacher's votes, the teacher being one line of arithmetic: product = red."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.segmenter.learned import LearnedProposer
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import Activation, ModelSpec, Scaling
from services.segmenter.training import votes
from services.segmenter.training.votes import vote
from tests.helpers.tiny_onnx import save_red_model

SIDE = 32
RED = ModelSpec("red", SIDE, Scaling.BYTE, (0.0,) * 3, (1.0,) * 3, Activation.NONE, "red.onnx", None)


def red_square(side: int, left: int, right: int) -> NDArray[np.uint8]:
    image = np.zeros((side, side, 3), np.uint8)
    image[side // 4 : side // 2, left:right, 0] = 255
    return image


class LeftHanded:
    """Sees the product on the left, whatever it is shown."""

    def run(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        matte = np.zeros((1, 1, SIDE, SIDE), np.float32)
        matte[..., : SIDE // 2] = 1
        return matte


def test_a_teacher_that_agrees_with_itself(tmp_path: Path) -> None:
    teacher = LearnedProposer(RED, OnnxModel(RED, save_red_model(tmp_path / "red.onnx", SIDE, gain=1, offset=0)))
    image = red_square(SIDE, 3, 12)
    matte, agreement = vote(teacher, image)
    assert agreement == 1
    assert matte.shape == (SIDE, SIDE)
    assert matte.dtype == np.float32
    assert np.array_equal(matte, image[..., 0] / 255)


def test_a_teacher_that_does_not() -> None:
    matte, agreement = vote(LearnedProposer(RED, LeftHanded()), red_square(SIDE, 3, 12))
    assert agreement == 0
    assert (matte == 0.5).all()


def test_the_command_votes_on_every_photo_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As u2netp is fed, this model's output is the red of the photo.
    weights = save_red_model(tmp_path / "u2netp.onnx", 320, gain=0.229, offset=0.485)
    out = tmp_path / "votes"
    for folder in votes.FOLDERS:
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "mug.jpg"), red_square(640, 64, 240)[..., ::-1])
    command = ["votes", "--source", str(tmp_path), "--weights", str(weights), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    votes.main()
    assert len(list(out.glob("u2netp/*/mug.npz"))) == len(votes.FOLDERS)
    kept = np.load(out / "u2netp" / "unlabelled" / "mug.npz")
    assert (kept["matte"].shape, kept["matte"].dtype) == ((320, 320), np.uint8)
    assert kept["matte"][120, 76] > 240
    assert kept["matte"][120, 240] < 15
    assert kept["agreement"] > 0.98

    mine = out / "u2netp" / "photos_masked" / "mug.npz"
    mine.write_bytes(b"kept")
    votes.main()
    assert mine.read_bytes() == b"kept"
