import numpy as np

from services.compositor.band import Band, window_of

MASK = np.zeros((5, 7), bool)
MASK[1, 2] = MASK[4, 6] = True


def test_a_band_lists_its_pixels_in_row_order() -> None:
    band = Band.where(MASK)
    assert len(band) == 2
    np.testing.assert_array_equal(band.rows, [1, 4])
    np.testing.assert_array_equal(band.cols, [2, 6])
    assert np.all(MASK.ravel()[band.index])


def test_steps_end_at_the_frame() -> None:
    band = Band.where(MASK)
    np.testing.assert_array_equal(band.shifted(-2, 0), [0 * 7 + 2, 2 * 7 + 6])
    np.testing.assert_array_equal(band.shifted(1, 3), [2 * 7 + 5, 4 * 7 + 6])


def test_fractional_steps_go_to_the_nearest_pixel() -> None:
    band = Band.where(MASK)
    step = np.array([0.4, -0.6], np.float32)
    np.testing.assert_array_equal(band.shifted(step, 0), [1 * 7 + 2, 3 * 7 + 6])


def test_a_window_holds_every_pixel_and_some_room() -> None:
    assert window_of(MASK, room_px=1) == (slice(0, 6), slice(1, 8))
    assert window_of(np.zeros((3, 3), bool), room_px=1) is None
