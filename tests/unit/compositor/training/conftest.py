from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.helpers.composites import disc, draw_matte, texture


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training pack of nine cutouts and nine photos, as small as can be."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("foregrounds_alpha", "emoji", "backgrounds", "unlabelled"):
        (folder / name).mkdir()
    for number in range(9):
        matte = draw_matte(80, 80, disc(20 + number, (40, 40)), blur_px=0.7)
        cv2.imwrite(
            str(folder / "foregrounds_alpha" / f"a{number}.jpg"), texture(80, 80, (20 * number, 90, 60), 9, 4, 1)
        )
        cv2.imwrite(str(folder / "foregrounds_alpha" / f"a{number}_a.png"), np.rint(matte * 255).astype(np.uint8))
        cv2.imwrite(str(folder / "backgrounds" / f"b{number}.jpg"), texture(90, 90, (200, 20 * number, 160), 9, 4, 2))
    return folder
