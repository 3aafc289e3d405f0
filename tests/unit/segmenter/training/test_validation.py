"""Scores of the held-out pictures. Needs torch, the `training` extra."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from services.segmenter.training import validation
from services.segmenter.training.composites import Sample
from services.segmenter.training.pack import Labelled, Pack
from services.segmenter.training.validation import ValidationSet
from tests.helpers.training_pack import GREY, ORANGE, disc, even, photo, product_on, tiny_pack

SIDE = 64


class SeesOrange(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """Says product where the picture is brighter in red than in blue, if it has eyes at all."""

    def __init__(self, *, blind: bool = False) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.0 if blind else 40.0))

    def forward(self, image: Any) -> list[Any]:
        return [(image[:, :1] - image[:, 2:] - 0.7) * self.gain - 0.1]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_COMPOSITES", 4)


def test_a_network_that_finds_the_product_scores_one_and_a_blind_one_nothing() -> None:
    held_out = ValidationSet(tiny_pack(), SIDE)
    scores, none = held_out.score(SeesOrange()), held_out.score(SeesOrange(blind=True))
    assert set(scores) == {"photos_iou", "photos_good", "composites_iou", "composites_good"}
    assert scores["photos_iou"] > 0.95
    assert scores["photos_good"] == 1
    assert set(none.values()) == {0.0}


def test_the_share_of_good_ones_is_that_above_nine_tenths() -> None:
    wide = disc(60, 24)  # the mask of a disc of 18 px: IoU 0.56
    wrong = Labelled("photos-c_0001", product_on(even(60, 60, GREY), ORANGE, disc(60, 18)), wide)
    pack = tiny_pack()
    scores = ValidationSet(Pack(pack.cutouts, [photo("photos-b_0001"), wrong], pack.grounds), SIDE).score(SeesOrange())
    assert scores["photos_good"] == 0.5
    assert scores["photos_iou"] == pytest.approx((1 + 0.56) / 2, abs=0.04)


def test_votes_are_no_measure() -> None:
    pack = tiny_pack()
    vote = Labelled("photos-d_0001", even(60, 60, GREY), np.full((60, 60), 255, np.uint8), is_vote=True)
    scores = ValidationSet(Pack(pack.cutouts, [photo("photos-b_0001"), vote], pack.grounds), SIDE).score(SeesOrange())
    assert scores["photos_good"] == 1


def test_the_composites_are_always_the_same_ones() -> None:
    one, other = ValidationSet(tiny_pack(), SIDE), ValidationSet(tiny_pack(), SIDE)
    pairs = list(zip(one._composites, other._composites, strict=True))
    assert len(pairs) == 4
    assert all(np.array_equal(a.image, b.image) and np.array_equal(a.matte, b.matte) for a, b in pairs)
    assert not np.array_equal(one._composites[0].image, one._composites[1].image)


def test_the_network_goes_on_training_afterwards() -> None:
    network = SeesOrange()
    ValidationSet(tiny_pack(), SIDE).score(network)
    assert network.training


@pytest.mark.parametrize(("rows", "iou"), [(slice(0, 10), 1.0), (slice(0, 5), 0.5), (slice(10, 20), 0.0)])
def test_iou_at_one_half(rows: slice, iou: float) -> None:
    truth, seen = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.float32)
    truth[:10], seen[rows] = 128, 0.5
    assert validation._iou(Sample(even(20, 20, GREY), truth, is_vote=False), seen) == iou


def test_a_pack_without_true_photos_is_refused() -> None:
    pack = Pack(tiny_pack().cutouts, [photo("photos-b_0002", is_vote=True)], tiny_pack().grounds)
    with pytest.raises(ValueError, match="no held-out photo with a true mask"):
        ValidationSet(pack, SIDE)
