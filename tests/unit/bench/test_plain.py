"""Composites whose parts are known, so that the finished photo can be held against them."""

from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bench.plain import KINDS, Cutout, compose, held_out_cutouts, is_outline_seen, main, without_fringe
from services.segmenter.training.split import is_held_out

RED = np.array([200, 30, 40], np.float32)


def disk(radius_px: float = 60, side: int = 200) -> np.ndarray:
    rows, cols = np.mgrid[:side, :side] - (side - 1) / 2
    return np.asarray(np.clip(radius_px + 0.5 - np.hypot(rows, cols), 0, 1), np.float32)


def red_disk_on_white() -> tuple[np.ndarray, np.ndarray]:
    """As photographed: the old white mixed into the edge, and a mask that is 1 px too large."""
    alpha = disk()[..., None]
    return np.rint(alpha * RED + (1 - alpha) * 255).astype(np.uint8), disk(61)


def test_nothing_of_the_old_ground_is_left() -> None:
    cutout = without_fringe("a/b", *red_disk_on_white())
    assert np.abs(cutout.color - RED).max() < 1
    assert np.abs(cutout.alpha - disk(60)).mean() < 0.01


def test_a_wire_keeps_its_own_colour() -> None:
    image = np.full((60, 60, 3), 255, np.uint8)
    image[5:30, 10:50] = (200, 30, 40)
    image[30:56, 28:32] = (20, 20, 20)
    alpha = (image[..., 1] < 200).astype(np.float32)
    cutout = without_fringe("a/b", image, alpha)
    assert (cutout.color[48, 29:31] == 20).all()
    assert (cutout.alpha[48, 29:31] == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_matte_is_the_products_and_the_photo_shows_it(kind: str) -> None:
    made = compose(without_fringe("a/b", *red_disk_on_white()), kind)
    inside, outside = made.matte > 0.99, made.matte < 0.01
    assert made.image.shape == (*made.matte.shape, 3)
    assert max(made.image.shape) == 800
    assert np.abs(made.image[inside].mean(axis=0) - RED).max() < 0.05 * 255
    shape = cv2.moments((made.matte >= 0.5).astype(np.uint8), binaryImage=True)
    assert shape["mu20"] == pytest.approx(shape["mu02"], rel=0.02)  # still round
    assert not inside[[0, -1]].any()
    assert not inside[:, [0, -1]].any()
    assert outside.any()


def test_a_solid_ground_is_solid() -> None:
    made = compose(without_fringe("a/b", *red_disk_on_white()), "solid")
    ground = cv2.GaussianBlur(made.image, (0, 0), 8)[made.matte == 0][::97].astype(np.float32)
    far = ground[np.abs(ground - RED).max(axis=1) > 60]
    assert np.median(np.ptp(far, axis=0)) < 60
    assert np.abs(far - np.median(far, axis=0)).mean() < 4


def test_the_same_name_gives_the_same_photo_and_another_name_another() -> None:
    image, alpha = red_disk_on_white()
    first, again, other = (compose(without_fringe(name, image, alpha), "gradient") for name in ("a/b", "a/b", "a/c"))
    assert (first.image == again.image).all()
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_a_sweep_is_darker_where_the_product_stands() -> None:
    shares = []
    for number in range(3):
        made = compose(Cutout(f"a/{number}", np.full((200, 200, 3), 250, np.float32), disk()), "sweep")
        base = int(np.nonzero((made.matte > 0).any(axis=1))[0][-1]) + 1
        middle = int(np.nonzero((made.matte >= 0.5).any(axis=0))[0].mean())
        table = made.image[base : base + 3].mean(axis=(0, 2))
        shares.append(table[middle - 5 : middle + 6].mean() / np.r_[table[10:60], table[-60:-10]].mean())
    assert max(shares) < 1
    assert np.mean(shares) < 0.92


def test_white_on_white_is_not_seen() -> None:
    white, grey = np.full((200, 200, 3), 253, np.float32), np.full((200, 200, 3), 150, np.float32)
    assert not is_outline_seen(white, white - 3, disk())
    assert is_outline_seen(white, grey, disk())
    half = np.where(np.arange(200)[:, None, None] < 100, white, grey).astype(np.float32)
    assert not is_outline_seen(white, half, disk())


def test_only_whole_held_out_cutouts_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "foregrounds_white"
    folder.mkdir()
    held_out = [name for name in (f"n_{i}" for i in range(60)) if is_held_out(folder / f"{name}.jpg")]
    trained_on = next(name for name in (f"n_{i}" for i in count()) if not is_held_out(folder / f"{name}.jpg"))
    whole, cut = held_out[:2]
    for name, radius in ((whole, 60), (cut, 110), (trained_on, 60)):
        Image.fromarray(red_disk_on_white()[0]).save(folder / f"{name}.jpg")
        Image.fromarray((disk(radius) * 255).astype(np.uint8)).save(folder / f"{name}_a.png")
    assert [cutout.name for cutout in held_out_cutouts(tmp_path)] == [f"foregrounds_white/{whole}"]


def test_photos_of_an_earlier_run_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cutout that left the list must not be scored for ever."""
    (tmp_path / "out" / "images").mkdir(parents=True)
    (tmp_path / "out" / "images" / "old.jpg").touch()
    name = next(name for name in (f"n_{i}" for i in count()) if is_held_out(Path(f"foregrounds_white/{name}.jpg")))
    (tmp_path / "foregrounds_white").mkdir()
    Image.fromarray(red_disk_on_white()[0]).save(tmp_path / "foregrounds_white" / f"{name}.jpg")
    Image.fromarray((disk() * 255).astype(np.uint8)).save(tmp_path / "foregrounds_white" / f"{name}_a.png")
    monkeypatch.setattr("sys.argv", ["plain", "--cutouts", str(tmp_path), "--out", str(tmp_path / "out")])
    main()
    photos = {file.stem for file in (tmp_path / "out").rglob("*.jpg")}
    assert photos == {f"foregrounds_white_{name}_{kind}" for kind in KINDS}
    assert photos == {file.stem for file in (tmp_path / "out").rglob("*.png")}
