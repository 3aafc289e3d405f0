"""Samples: what the matte calls product is the product, all of it that is seen, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.segmenter.training import camera, composites
from services.segmenter.training.composites import Sample, SampleMaker
from services.segmenter.training.pack import Labelled, Pack
from tests.helpers.training_pack import CYAN, GREY, MAGENTA, ORANGE, cutout, disc, even, grounds, photo, tiny_pack

Image = NDArray[np.uint8]
SIDE = 64
SEEDS = range(300)


class Recorder(SampleMaker):
    """Remembers where each piece of the product was put."""

    pieces: list[tuple[Image, Image]]

    def _pieces(self, rng: np.random.Generator) -> list[tuple[Image, Image]]:
        self.pieces = super()._pieces(rng)
        return self.pieces

    def uncovered(self) -> Image:
        """(S, S) uint8: all of the product, whether something is before it or not."""
        return np.asarray(np.max([matte for _, matte in self.pieces], axis=0), np.uint8)


@pytest.fixture
def plain_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours come out of the camera as they are."""
    monkeypatch.setattr(camera, "relight", lambda rng, image, strength=1.0: image)
    monkeypatch.setattr(camera, "expose", lambda rng, image: image)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def is_between(image: Image, colour: tuple[int, int, int], pale: int = 245) -> NDArray[np.bool_]:
    """Where a picture has a colour, or that colour on its way to pale: white-on-white products are made so."""
    low, high = np.minimum(colour, pale), np.maximum(colour, pale)
    near = ((image >= low - 1) & (image <= high + 1)).all(axis=-1)
    return np.asarray(near & (np.ptp(image.astype(int), axis=-1) > 20))


def assert_well_formed(sample: Sample, side: int) -> None:
    assert sample.image.shape == (side, side, 3)
    assert sample.matte.shape == (side, side)
    assert sample.image.dtype == sample.matte.dtype == np.uint8
    assert (sample.matte > 127).any()


@given(seed=st.integers(0, 2**32), side=st.sampled_from([32, 64, 96]))
def test_every_sample_shows_a_product(seed: int, side: int) -> None:
    maker = SampleMaker(tiny_pack(), side)
    assert_well_formed(maker.draw(rng(seed)), side)
    assert_well_formed(maker.composite(rng(seed)), side)


def test_the_same_seed_gives_the_same_sample_from_any_maker() -> None:
    for seed in range(20):
        one, same, other = (SampleMaker(tiny_pack(), SIDE).draw(rng(number)) for number in (seed, seed, seed + 100))
        assert np.array_equal(one.image, same.image)
        assert np.array_equal(one.matte, same.matte)
        assert one.is_vote is same.is_vote
        assert not np.array_equal(one.image, other.image)


@pytest.mark.usefixtures("plain_camera")
def test_where_the_matte_is_full_the_product_is_seen() -> None:
    maker = SampleMaker(tiny_pack(), SIDE)
    for seed in SEEDS:
        sample = maker.composite(rng(seed))
        inside = sample.image[sample.matte == 255]
        assert (is_between(inside, MAGENTA) | is_between(inside, CYAN)).all()


@pytest.mark.usefixtures("plain_camera")
def test_where_the_matte_is_empty_the_product_is_not_seen_but_distractors_are() -> None:
    maker = Recorder(tiny_pack(), SIDE)
    with_distractors = 0
    for seed in range(600):
        sample = maker.composite(rng(seed))
        piece, matte = maker.pieces[0]
        if not is_between(piece[matte == 255], MAGENTA).all():
            continue  # cyan products look like distractors
        outside = sample.image[sample.matte == 0]
        assert (outside != piece[matte == 255][0]).any(axis=-1).all()
        with_distractors += bool((outside == CYAN).all(axis=-1).any())
    assert with_distractors >= 3


def test_shadows_reflections_props_and_distractors_never_get_into_the_matte() -> None:
    maker = Recorder(tiny_pack(), SIDE)
    for seed in SEEDS:
        sample = maker.composite(rng(seed))
        assert (sample.matte <= maker.uncovered()).all()


@pytest.mark.usefixtures("plain_camera")
def test_what_is_before_the_product_is_cut_out_of_the_matte_but_never_most_of_it() -> None:
    maker = Recorder(tiny_pack(), SIDE)
    occluded = 0
    for seed in SEEDS:
        sample, product = maker.composite(rng(seed)), maker.uncovered()
        covered = (product == 255) & (sample.matte == 0)
        occluded += bool((sample.matte < product).any())
        assert (sample.image[covered] != MAGENTA).any(axis=-1).all()
        assert (sample.image[covered] != CYAN).any(axis=-1).all()
        assert (sample.matte > 128).sum() >= 0.6 * (product > 128).sum()
    assert 0.05 < occluded / len(SEEDS) < 0.2


def test_a_shadow_only_darkens() -> None:
    scene, matte = even(SIDE, SIDE, GREY), disc(SIDE, 15)
    shaded = [composites._shaded(rng(seed), scene, matte) for seed in range(40)]
    assert all((one <= scene).all() for one in shaded)
    assert np.mean([(one < scene).any() for one in shaded]) > 0.8
    assert (scene == GREY).all()


def test_several_pieces_lie_apart() -> None:
    maker = Recorder(tiny_pack(), SIDE)
    counts = set()
    for seed in SEEDS:
        maker.composite(rng(seed))
        counts.add(len(maker.pieces))
        assert all((matte > 127).any() for _, matte in maker.pieces)
    assert counts == {1, 2, 3, 4}


@pytest.mark.usefixtures("plain_camera")
def test_a_photo_and_its_matte_are_turned_and_cut_alike() -> None:
    maker = SampleMaker(tiny_pack(), SIDE)
    votes = [sample for sample in map(maker.draw, map(rng, SEEDS)) if sample.is_vote]
    assert len(votes) > 50
    for sample in votes:
        assert np.abs(sample.image[sample.matte == 255].astype(int) - ORANGE).max(initial=0) <= 8
        assert np.abs(sample.image[sample.matte == 0].astype(int) - GREY).max(initial=0) <= 8


def test_a_photo_full_of_product() -> None:
    whole = Labelled("photos-c_0001", even(60, 40, ORANGE), np.full((60, 40), 255, np.uint8))
    maker = SampleMaker(Pack(tiny_pack().cutouts, [whole], grounds()), SIDE)
    for seed in range(20):
        assert (maker._photo(rng(seed), whole).matte == 255).all()


def test_a_product_of_one_pixel() -> None:
    point = Labelled("white-p_0001", even(1, 1, CYAN), np.full((1, 1), 255, np.uint8))
    maker = SampleMaker(Pack([point], [photo("photos-b_0001")], grounds()), SIDE)
    for seed in range(50):
        assert_well_formed(maker.composite(rng(seed)), SIDE)


@pytest.mark.parametrize(
    ("touches", "edges"),
    [
        ("T", [np.s_[0]]),
        ("B", [np.s_[-1]]),
        ("L", [np.s_[:, 0]]),
        ("R", [np.s_[:, -1]]),
        ("TB", [np.s_[0], np.s_[-1]]),
        ("BR", [np.s_[-1], np.s_[:, -1]]),
    ],
)
def test_a_product_that_its_frame_cut_is_cut_by_ours(touches: str, edges: list[tuple[slice, ...]]) -> None:
    full = Labelled("truncated-a_0001", even(50, 30, CYAN), np.full((50, 30), 255, np.uint8), touches)
    maker = SampleMaker(tiny_pack(), SIDE)
    for seed in range(20):
        _, matte = maker._placed(rng(seed), full, 40.0, (30.0, 30.0))
        assert all(matte[edge].any() for edge in edges)


def test_a_lone_photo_with_a_true_mask_does_not_drown_the_voted_ones() -> None:
    photos = [photo(f"photos-b_{number:04d}", is_vote=number > 0) for number in range(10)]
    maker = SampleMaker(Pack(tiny_pack().cutouts, photos, grounds()), SIDE)
    drawn = [maker._photos.draw(rng(seed)).is_vote for seed in range(400)]
    assert 0.8 < np.mean(drawn) < 0.97


def test_some_products_are_so_close_that_the_frame_cuts_them() -> None:
    maker = Recorder(tiny_pack(), SIDE)
    cut = 0
    for seed in SEEDS:
        maker.composite(rng(seed))
        matte = np.max([matte for _, matte in maker.pieces], axis=0)
        cut += bool(max(matte[0].max(), matte[-1].max(), matte[:, 0].max(), matte[:, -1].max()) > 127)
        assert 0 < (matte > 127).mean() < 0.95
    assert cut / len(SEEDS) > 0.05


@pytest.mark.parametrize("is_vote", [False, True])
def test_a_pack_may_lack_votes_or_true_photos(is_vote: bool) -> None:
    photos = [photo("photos-b_0001", is_vote=is_vote)]
    maker = SampleMaker(Pack(tiny_pack().cutouts, photos, grounds()), SIDE)
    samples = [maker.draw(rng(seed)) for seed in range(40)]
    assert any(sample.is_vote for sample in samples) is is_vote


@pytest.mark.parametrize(
    ("pack", "kind"),
    [
        (Pack([cutout("white-a_0001", CYAN)], [], grounds()), "photos"),
        (Pack([cutout("white-a_0001", CYAN)], [photo("photos-b_0001")], []), "grounds"),
        (Pack([cutout("white-a_0001", CYAN, "B")], [photo("photos-b_0001")], grounds()), "whole cutouts"),
    ],
)
def test_a_pack_that_cannot_do_says_what_it_lacks(pack: Pack, kind: str) -> None:
    with pytest.raises(ValueError, match=f"no {kind}; add some"):
        SampleMaker(pack, SIDE)


def test_a_large_source_does_not_drown_a_small_one() -> None:
    many = [cutout(f"large_{i:03}", CYAN) for i in range(100)]
    pool, generator = composites._Pool([*many, cutout("small_001", MAGENTA)]), rng(0)
    drawn = [pool.draw(generator).name for _ in range(2000)]
    assert drawn.count("small_001") / 2000 == pytest.approx(1 / 11, abs=0.02)  # of 101 pictures
    assert len(set(drawn)) == 101
