"""What a smooth backdrop does and does not explain."""

import numpy as np
import pytest

from services.segmenter.background import describe_background, rim
from services.segmenter.masks import grow, resize, shrink, to_lab
from services.segmenter.plain_background import PlainSeparation, separate_plain
from tests.helpers import scenes
from tests.helpers.composites import Composite, Draw, Image, disc, draw_matte

SIZE = (280, 320)


def separated(scene: Composite) -> PlainSeparation:
    lab = to_lab(resize(scene.photo, *SIZE))
    outside = rim(*SIZE)
    return separate_plain(lab, describe_background(lab, outside), outside)


@pytest.mark.parametrize("shape", [scenes.DISC, scenes.BOX], ids=["disc", "box"])
@pytest.mark.parametrize("backdrop", [scenes.WHITE, scenes.GREY, scenes.SWEEP], ids=["white", "grey", "sweep"])
def test_what_the_rim_does_not_reach_is_product(shape: Draw, backdrop: Image) -> None:
    scene = scenes.photograph(shape, backdrop)
    found = separated(scene)
    truth = resize(scene.matte, *SIZE) >= 0.5
    assert found.product[truth].all()
    assert not (found.product & ~grow(truth, 4)).any()
    assert not (found.product & found.background).any()
    assert not (found.certain & ~found.product).any()


def test_the_backdrop_behind_a_ring_is_a_hole() -> None:
    found = separated(scenes.photograph(scenes.RING, scenes.GREY))
    inside = resize(draw_matte(scenes.HEIGHT, scenes.WIDTH, disc(54, scenes.CENTRE)), *SIZE) == 1
    assert found.holes[inside].all()
    assert not found.product[inside].any()


def test_a_product_of_the_backdrop_s_colour_is_held_by_its_outline() -> None:
    """A grey disc with a red rim on the same grey: only the rim keeps the background out."""
    rim_only = scenes.photograph(scenes.RING, scenes.GREY, noise=0)
    found = separated(rim_only)
    assert not (found.background & shrink(resize(rim_only.matte, *SIZE) >= 0.5, 3)).any()
    assert not found.background[round(scenes.CENTRE[0] * 2 / 3), round(scenes.CENTRE[1] * 2 / 3)]


def test_a_contact_shadow_is_background() -> None:
    scene = scenes.photograph(scenes.BOX, scenes.GREY, shadow=0.3)
    found = separated(scene)
    bottom = 210  # of the box, at the working size
    assert not found.product[bottom + 4 :].any()
    assert found.background[bottom + 4 :].all()


def test_an_empty_backdrop_holds_nothing() -> None:
    empty = scenes.photograph(disc(0.1, (-50, -50)), scenes.SWEEP)
    found = separated(empty)
    assert not found.product.any()
    assert np.mean(found.background) > 0.99
