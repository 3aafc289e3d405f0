"""Legs of training, a few steps long. Needs torch, the `training` extra."""

import argparse
import csv
import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from services.common.training_leg import SampleRow
from services.segmenter.training import train, validation
from services.segmenter.training.composites import SampleMaker
from services.segmenter.training.network import to_input
from services.segmenter.training.pack import write_pack
from services.segmenter.training.train import input_side, run_leg
from tests.helpers.training_pack import tiny_pack, whole_source

# Seconds, but on a machine that is training meanwhile.
pytestmark = pytest.mark.timeout(600)

BATCH = 4
ONE_STEP, TWO_STEPS = BATCH, 2 * BATCH


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    write_pack(
        whole_source(folder).folder, folder / "votes", folder / "renders", folder / "staged", folder / "pack", {"A"}
    )
    return folder / "pack"


def leg(pack: Path, out: Path) -> None:
    """Two steps, each validated; the rate is such that the first steps of the warm-up count."""
    args = argparse.Namespace(
        start_from=None,
        pack=pack,
        out=out,
        samples=TWO_STEPS + 2,  # no multiple of the batch
        side=32,
        batch=BATCH,
        rate=4.0,
        seed=1,
        loaders=1,
        validate_every=ONE_STEP,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "_COMPOSITES", 4)
        run_leg(args)


@pytest.fixture(scope="module")
def finished(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a leg run through."""
    out = tmp_path_factory.mktemp("run")
    leg(pack, out)
    return out


def saved(out: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(out / "checkpoint.pt", weights_only=True)
    return state


def largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def test_a_leg_stopped_and_resumed_equals_one_run_through(
    pack: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "_validate", stop)
        leg(pack, tmp_path)
    half, through = saved(tmp_path), saved(finished)
    assert (half["samples"], half["leg_end"]) == (ONE_STEP, TWO_STEPS + 2)
    leg(pack, tmp_path)
    resumed = saved(tmp_path)
    assert resumed["samples"] == through["samples"] == TWO_STEPS
    for kind in ("network", "average"):
        assert largest_difference(half[kind], through[kind]) > 1e-3  # the second half did learn
        assert largest_difference(resumed[kind], through[kind]) < 1e-5


def test_a_finished_leg_starts_the_next_and_the_curve_keeps_every_validation(
    pack: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    leg(pack, out)
    assert [saved(out)[key] for key in ("leg_start", "samples")] == [TWO_STEPS, 2 * TWO_STEPS]
    with (out / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["samples"]) for row in rows] == [4, 8, 8, 12, 16, 16]
    assert set(rows[0]) >= {"rate", "loss", "photos_iou", "composites_iou"}
    assert all(float(row["loss"]) > 0 for row in rows)
    assert {file.name for file in out.iterdir()} == {"checkpoint.pt", "curve.csv"}


def test_the_next_leg_starts_from_the_average(finished: Path) -> None:
    state = train.start_leg(finished / "checkpoint.pt", None, torch.device("cpu"), samples=100, batch=BATCH)
    assert largest_difference(state.network.state_dict(), saved(finished)["average"]) == 0
    assert (state.first, state.last) == (TWO_STEPS, TWO_STEPS + 100)


def test_the_rate_warms_up_and_falls_within_each_leg(tmp_path: Path) -> None:
    state = train.start_leg(tmp_path / "none.pt", None, torch.device("cpu"), samples=100_000, batch=BATCH)
    state.first, state.last = 5_000, 105_000
    rates = []
    for done in (0, 1_000, 2_000, 51_000, 100_000):
        state.samples = state.first + done
        rates.append(state.rate(1.0))
    assert rates == pytest.approx([1 / 2_000, 0.5, 1.0, 0.51, 0.02], abs=1e-3)


def test_sample_i_is_the_same_wherever_a_leg_starts() -> None:
    maker = SampleMaker(tiny_pack(), 32)
    draw = functools.partial(train.tensors, maker)
    image, matte, is_vote = SampleRow(draw, 1, 0, 10)[7]
    again, same_matte, same_kind = SampleRow(draw, 1, 5, 10)[2]
    assert torch.equal(image, again)
    assert torch.equal(matte, same_matte)
    assert is_vote == same_kind
    sample = maker.draw(np.random.default_rng((1, 7)))
    assert np.array_equal(image.permute(1, 2, 0).numpy(), sample.image)


def test_bytes_become_minus_one_to_one() -> None:
    image = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert to_input(image).tolist() == pytest.approx([-1, -0.6, 1])


@pytest.mark.parametrize("text", ["0", "-32", "250"])
def test_a_side_that_the_network_cannot_take_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"multiple of 32, not {text}"):
        input_side(text)
    assert input_side("320") == 320


def test_a_run_without_a_checkpoint_may_start_from_weights_that_were_kept(finished: Path, tmp_path: Path) -> None:
    saved = torch.load(finished / "checkpoint.pt", weights_only=True)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in saved["average"].items()}
    torch.save({"average": halves, "samples": saved["samples"]}, tmp_path / "kept.pt")
    state = train.start_leg(
        tmp_path / "none.pt", tmp_path / "kept.pt", torch.device("cpu"), samples=BATCH * 3, batch=BATCH
    )
    assert (state.first, state.last) == (saved["samples"], saved["samples"] + BATCH * 3)
    for name, value in state.network.state_dict().items():
        assert torch.allclose(value.float(), saved["average"][name].float(), atol=1e-2, rtol=1e-2)
