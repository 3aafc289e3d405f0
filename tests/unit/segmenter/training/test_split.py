"""Which files are held out never changes: the scores of all legs and benchmarks rest on it."""

from pathlib import Path

import pytest

from services.segmenter.training.split import is_held_out


@pytest.mark.parametrize(
    ("name", "held_out"),
    [
        ("photos_masked/mug_0001.jpg", True),
        ("unlabelled/0001.jpg", True),
        ("unlabelled/0005.jpg", False),
        ("backgrounds/acg_0001.jpg", False),
        ("foregrounds_white/bag_0007.jpg", False),
        ("emoji/u1f600.jpg", False),
    ],
)
def test_these_names_stay_where_they_are(name: str, held_out: bool) -> None:
    assert is_held_out(Path(name)) is held_out


def test_only_folder_and_stem_count() -> None:
    assert is_held_out(Path("elsewhere/photos_masked/mug_0001.png"))
    assert is_held_out(Path("photos_masked/mug_0001.jpg"))


def test_about_one_in_eight_is_held_out() -> None:
    chosen = sum(is_held_out(Path(f"photos_masked/p_{i:04}.jpg")) for i in range(8000))
    assert chosen == pytest.approx(1000, abs=100)  # more than three standard deviations
