import numpy as np
import pytest

from services.common.color import ciede2000, lab_to_srgb, linear_to_srgb, srgb_to_lab, srgb_to_linear

# Sharma, Wu, Dalal 2005, table 1: L1 a1 b1 L2 a2 b2 dE00.
SHARMA_TABLE = """
50.0000   2.6772 -79.7751 50.0000   0.0000 -82.7485  2.0425
50.0000   3.1571 -77.2803 50.0000   0.0000 -82.7485  2.8615
50.0000   2.8361 -74.0200 50.0000   0.0000 -82.7485  3.4412
50.0000  -1.3802 -84.2814 50.0000   0.0000 -82.7485  1.0000
50.0000  -1.1848 -84.8006 50.0000   0.0000 -82.7485  1.0000
50.0000  -0.9009 -85.5211 50.0000   0.0000 -82.7485  1.0000
50.0000   0.0000   0.0000 50.0000  -1.0000   2.0000  2.3669
50.0000  -1.0000   2.0000 50.0000   0.0000   0.0000  2.3669
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0009  7.1792
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0010  7.1792
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0011  7.2195
50.0000   2.4900  -0.0010 50.0000  -2.4900   0.0012  7.2195
50.0000  -0.0010   2.4900 50.0000   0.0009  -2.4900  4.8045
50.0000  -0.0010   2.4900 50.0000   0.0010  -2.4900  4.8045
50.0000  -0.0010   2.4900 50.0000   0.0011  -2.4900  4.7461
50.0000   2.5000   0.0000 50.0000   0.0000  -2.5000  4.3065
50.0000   2.5000   0.0000 73.0000  25.0000 -18.0000 27.1492
50.0000   2.5000   0.0000 61.0000  -5.0000  29.0000 22.8977
50.0000   2.5000   0.0000 56.0000 -27.0000  -3.0000 31.9030
50.0000   2.5000   0.0000 58.0000  24.0000  15.0000 19.4535
50.0000   2.5000   0.0000 50.0000   3.1736   0.5854  1.0000
50.0000   2.5000   0.0000 50.0000   3.2972   0.0000  1.0000
50.0000   2.5000   0.0000 50.0000   1.8634   0.5757  1.0000
50.0000   2.5000   0.0000 50.0000   3.2592   0.3350  1.0000
60.2574 -34.0099  36.2677 60.4626 -34.1751  39.4387  1.2644
63.0109 -31.0961  -5.8663 62.8187 -29.7946  -4.0864  1.2630
61.2901   3.7196  -5.3901 61.4292   2.2480  -4.9620  1.8731
35.0831 -44.1164   3.7933 35.0232 -40.0716   1.5901  1.8645
22.7233  20.0904 -46.6940 23.0331  14.9730 -42.5619  2.0373
36.4612  47.8580  18.3852 36.2715  50.5065  21.2231  1.4146
90.8027  -2.0831   1.4410 91.1528  -1.6435   0.0447  1.4441
90.9257  -0.5406  -0.9208 88.6381  -0.8985  -0.7239  1.5381
 6.7747  -0.2908  -2.4247  5.8714  -0.0985  -2.2286  0.6377
 2.0776   0.0795  -1.1350  0.9033  -0.0636  -0.5514  0.9082
"""
SHARMA = np.array([[float(x) for x in line.split()] for line in SHARMA_TABLE.strip().splitlines()])


def test_ciede2000_reproduces_the_test_table_of_the_paper() -> None:
    assert SHARMA.shape == (34, 7)
    np.testing.assert_allclose(ciede2000(SHARMA[:, :3], SHARMA[:, 3:6]), SHARMA[:, 6], atol=1e-4)


def test_ciede2000_is_symmetric_and_zero_for_equal_colours() -> None:
    one, other = SHARMA[:, :3], SHARMA[:, 3:6]
    np.testing.assert_allclose(ciede2000(one, other), ciede2000(other, one), atol=1e-4)
    assert ciede2000(one, one).max() == 0


def test_ciede2000_of_images_keeps_their_shape_and_stays_close_in_single_precision() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    single = ciede2000(srgb_to_lab(one), srgb_to_lab(other))
    double = ciede2000(srgb_to_lab(one).astype(np.float64), srgb_to_lab(other).astype(np.float64))
    assert single.shape == (40, 30)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
    ],
)
def test_srgb_to_lab_gives_the_known_values(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(srgb_to_lab(np.array(rgb, np.uint8)), lab, atol=0.02)


def test_bytes_and_floats_mean_the_same_colour() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    np.testing.assert_allclose(srgb_to_linear(ramp), srgb_to_linear(ramp / 255.0), atol=1e-6)
    np.testing.assert_allclose(srgb_to_lab(ramp), srgb_to_lab(ramp / 255.0), atol=1e-3)


def test_every_byte_survives_the_way_to_linear_light_and_back() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(linear_to_srgb(srgb_to_linear(ramp)), ramp)


def test_linear_light_out_of_range_is_clipped() -> None:
    np.testing.assert_array_equal(linear_to_srgb(np.array([-0.5, 1.5], np.float32)), [0, 255])


def test_lab_and_back_is_the_same_colour() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    np.testing.assert_array_equal(lab_to_srgb(srgb_to_lab(colours)), colours)


def test_a_lab_colour_outside_of_srgb_becomes_the_nearest_in_each_channel() -> None:
    assert lab_to_srgb(np.array([120.0, 0.0, 0.0], np.float32)).tolist() == [255, 255, 255]
