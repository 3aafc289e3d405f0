"""A leg of training the edge network, a few steps long. Needs torch, the `training` extra."""

import argparse
import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from services.compositor.edge_network import PATCH_PX
from services.compositor.training import samples, train
from services.compositor.training.export import calibration, export
from services.compositor.training.network import EdgeNetwork, to_input
from services.compositor.training.quantize import quantize
from services.compositor.training.train import edge_loss, halved, run_leg

# Seconds, but on a machine that is training meanwhile.
pytestmark = pytest.mark.timeout(600)


def test_a_leg_learns_keeps_its_curve_and_goes_on(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(samples, "_STRAND_MATTES", 2)
    monkeypatch.setattr(train, "_HELD_OUT_SAMPLES", 4)
    args = argparse.Namespace(
        source=source, renders=None, out=tmp_path, start_from=None, samples=8, side=PATCH_PX, batch=4, rate=1e-3,
        seed=1,
        loaders=1, validate_every=4,
    )  # fmt: skip
    assert np.isfinite(run_leg(args))
    run_leg(args)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert (saved["samples"], saved["leg_start"], saved["leg_end"]) == (16, 8, 16)
    with (tmp_path / "curve.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["samples"]) for row in rows] == [4, 8, 8, 12, 16, 16]
    assert all(float(row["mse_e3"]) > 0 for row in rows)


def test_a_halved_trimap_knows_what_all_four_pixels_know() -> None:
    trimap = torch.tensor(
        [[[[0, 0, 255, 255], [0, 0, 255, 128], [0, 255, 128, 128], [0, 0, 128, 128]]]], dtype=torch.uint8
    )
    assert halved(trimap).tolist() == [[[[0, 128], [128, 128]]]]


def test_the_loss_counts_unknown_pixels_only() -> None:
    truth, unknown = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    unknown[..., :4] = True
    wrong_where_known = truth.clone()
    wrong_where_known[..., 4:] = 1
    assert edge_loss(wrong_where_known, truth, unknown).item() == 0
    assert edge_loss(truth + 0.1, truth, unknown) < edge_loss(truth + 0.2, truth, unknown)


def test_two_plain_sides_are_unmixed_before_the_network_sees_them() -> None:
    """The input already says what alpha is where product and background each have one colour."""
    half = PATCH_PX // 2
    alpha = torch.linspace(0, 1, half).repeat(2).expand(1, 1, PATCH_PX, PATCH_PX)
    bright, dim = torch.tensor([200.0, 80, 40]), torch.tensor([30.0, 60, 120])
    light = alpha * (bright / 255)[None, :, None, None] ** 2 + (1 - alpha) * (dim / 255)[None, :, None, None] ** 2
    image = (light.sqrt() * 255).round()
    trimap = torch.full_like(alpha, 128)
    for left in (0, half):  # each quarter of the patch has to hold some of both sides
        trimap[..., left : left + 8], trimap[..., left + half - 8 : left + half] = 0, 255
    given = to_input(image, trimap, torch.full_like(alpha, 0.5))
    mixed = (functional.pixel_shuffle(given[:, 24:28], 2) + 1) / 2
    assert (mixed - alpha)[..., 12 : half - 12].abs().mean() < 0.08


def test_the_exported_file_answers_as_the_network_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = EdgeNetwork().eval()
    assert export(network, tmp_path / "edge.onnx") < 1e-4
    assert (tmp_path / "edge.onnx").stat().st_size < 2_000_000


def test_whole_numbers_change_an_answer_by_less_than_8_bits_show(source: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    exact, small = tmp_path / "exact.onnx", tmp_path / "small.onnx"
    export(EdgeNetwork().eval(), exact)
    batches = [batch for batch, _ in zip(calibration(samples.SampleMaker(source, PATCH_PX)), range(3), strict=False)]
    quantize(exact, small, batches)
    answers = [np.asarray(onnxruntime.InferenceSession(file).run(["alpha"], batches[0])[0]) for file in (exact, small)]
    assert np.abs(answers[0] - answers[1]).mean() < 1 / 255
    assert small.stat().st_size < exact.stat().st_size / 2
