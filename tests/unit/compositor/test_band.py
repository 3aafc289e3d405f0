import numpy as np

from services.compositor.band import Band, blocks_with, window_of

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


def test_a_window_holds_all_true_pixels_with_room_and_begins_in_the_frame() -> None:
    assert window_of(MASK, 0) == (slice(1, 5), slice(2, 7))
    assert window_of(MASK, 2) == (slice(0, 7), slice(0, 9))
    assert window_of(np.zeros((5, 7), bool), 2) is None


def test_blocks_cover_every_true_pixel_once_and_nothing_else_is_visited() -> None:
    mask = np.zeros((50, 70), bool)
    mask[3, 5] = mask[49, 69] = mask[10:20, 31:33] = True
    seen = np.zeros(mask.shape, int)
    blocks = list(blocks_with(mask, core_px=16, room_px=4))
    for block in blocks:
        seen[block.core] += 1
        rows, cols = np.mgrid[:50, :70]
        for grid in (rows, cols):  # the core is found in the roomy block where it says
            np.testing.assert_array_equal(grid[block.roomy][block.core_in_roomy], grid[block.core])
    assert seen.max() == 1
    assert np.all(seen[mask] == 1)
    assert len(blocks) == 6


def test_a_frame_without_band_has_no_blocks() -> None:
    assert not list(blocks_with(np.zeros((9, 9), bool), room_px=2))
