"""Training samples: a truth, a trimap that holds it and a prior."""

from pathlib import Path

import numpy as np
import pytest

from services.compositor.training import samples
from services.compositor.training.samples import SampleMaker
from services.compositor.trimap import BACKGROUND, PRODUCT, UNKNOWN
from tests.helpers.composites import disc, draw_matte

SIDE = 64


@pytest.fixture(scope="module")
def maker(source: Path) -> SampleMaker:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_STRAND_MATTES", 4)
        return SampleMaker(source, SIDE)


def test_the_truth_is_where_the_trimap_says(maker: SampleMaker) -> None:
    for seed in range(60):
        sample = maker.draw(np.random.default_rng(seed))
        assert sample.image.shape == (SIDE, SIDE, 3)
        assert {sample.alpha.dtype, sample.trimap.dtype, sample.prior.dtype} == {np.dtype(np.uint8)}
        assert set(np.unique(sample.trimap)) <= {BACKGROUND, UNKNOWN, PRODUCT}
        known = sample.trimap != UNKNOWN
        off = np.abs(sample.alpha.astype(int) - sample.trimap)[known]
        assert off.size == 0 or np.mean(off > 60) < 0.02


def test_a_seed_means_one_sample(maker: SampleMaker) -> None:
    one, same = (maker.draw(np.random.default_rng((1, 7))) for _ in range(2))
    for name in ("image", "alpha", "trimap", "prior"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))


def test_held_out_cutouts_and_photos_are_never_trained_on(source: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_STRAND_MATTES", 1)
        train, held_out = SampleMaker(source, SIDE), SampleMaker(source, SIDE, held_out=True)
    assert (len(train._cutouts), len(held_out._cutouts)) == (7, 2)
    assert (len(train._photos), len(held_out._photos)) == (7, 2)


def test_an_empty_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the training pack's folder"):
        SampleMaker(tmp_path, SIDE)


def test_without_knowledge_the_prior_is_a_half_in_the_band() -> None:
    alpha = np.rint(draw_matte(SIDE, SIDE, disc(20, (32, 32)), blur_px=1) * 255).astype(np.uint8)
    kinds = set()
    for seed in range(40):
        trimap, prior = samples._known_before(np.random.default_rng(seed), alpha)
        nothing_known = np.array_equal(prior, trimap)
        kinds.add(nothing_known)
        if nothing_known:
            assert np.all(prior[trimap == UNKNOWN] == 128)
    assert kinds == {True, False}
