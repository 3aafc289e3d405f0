import numpy as np

from services.compositor.cutout import make_cutout

IMAGE = np.full((4, 6, 3), 90, np.uint8)
FOREGROUND = np.full((4, 6, 3), 200, np.uint8)
MATTE = np.zeros((4, 6), np.float32)
MATTE[1:3, 1:4] = 1
MATTE[1:3, 4] = 0.5


def test_colour_is_clean_and_black_where_nothing_is() -> None:
    cutout = make_cutout(IMAGE, FOREGROUND, MATTE)
    assert cutout.shape == (4, 6, 4)
    assert cutout.dtype == np.uint8
    assert np.all(cutout[MATTE > 0, :3] == 200)
    assert np.all(cutout[MATTE == 0] == 0)
    np.testing.assert_array_equal(
        cutout[1], [[0] * 4, [200, 200, 200, 255]] + [[200, 200, 200, 255]] * 2 + [[200, 200, 200, 128], [0] * 4]
    )


def test_the_background_can_be_kept_for_an_editor() -> None:
    cutout = make_cutout(IMAGE, FOREGROUND, MATTE, keep_background=True)
    np.testing.assert_array_equal(cutout[..., :3], IMAGE)
    np.testing.assert_array_equal(cutout[..., 3], make_cutout(IMAGE, FOREGROUND, MATTE)[..., 3])
