"""One leg of training the edge network: `python -m services.compositor.training.train --samples 200000`.

Every patch is seen twice, as in use: at half its size with what was known before, then at full size with, for some of
them, the first answer as prior. A leg that was stopped goes on where its last checkpoint was; a finished run starts the
next leg from the best it has learned. Sample number i is the same on every machine. `curve.csv` keeps what each
validation saw.
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path

import numpy as np
import structlog
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from services.common.training_leg import Leg, SampleRow, add_leg_arguments, keep_curve, one_thread
from services.compositor.training.network import EdgeNetwork, to_input
from services.compositor.training.samples import SampleMaker

_WARM_UP_SAMPLES = 4_000
_WEIGHT_DECAY = 0.01
_OWN_PRIOR = 0.6  # share of patches whose full size starts from the answer at half size
_HALF_WEIGHT = 0.5
_HELD_OUT_SAMPLES = 512
_HELD_OUT_SEED = 1_000_003

log = structlog.get_logger()
Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def tensors(maker: SampleMaker, rng: np.random.Generator) -> Batch:
    """A sample as bytes: image (3, S, S), then alpha, trimap and prior (1, S, S)."""
    sample = maker.draw(rng)
    planes = (sample.alpha, sample.trimap, sample.prior)
    alpha, trimap, prior = (torch.from_numpy(np.ascontiguousarray(plane))[None] for plane in planes)
    return torch.from_numpy(np.ascontiguousarray(sample.image)).permute(2, 0, 1), alpha, trimap, prior


def halved(trimap: Tensor) -> Tensor:
    """A trimap (N, 1, S, S) at half the size: known where all four pixels say the same."""
    parts = trimap.float()
    low, high = -functional.max_pool2d(-parts, 2), functional.max_pool2d(parts, 2)
    return torch.where(low == high, low, torch.full_like(low, 128)).to(trimap.dtype)


def edge_loss(alpha: Tensor, truth: Tensor, unknown: Tensor) -> Tensor:
    """Absolute and squared error in the unknown pixels, and of the differences between neighbours and over octaves."""
    share = unknown.float()
    count = share.sum().clamp(min=1)
    gap = (alpha - truth) * share
    loss = (gap.abs().sum() + 3 * (gap * gap).sum()) / count
    down, right = gap[..., 1:, :] - gap[..., :-1, :], gap[..., 1:] - gap[..., :-1]
    loss = loss + 0.5 * (down.abs().sum() + right.abs().sum()) / count
    for _ in range(2):
        gap = functional.avg_pool2d(gap, 2)
        loss = loss + gap.abs().sum() * 4 / count
        count = count / 4
        count = count.clamp(min=1)
    return loss


def _forward(network: nn.Module, image: Tensor, trimap: Tensor, prior: Tensor, device: str) -> Tensor:
    given = to_input(image, trimap, prior).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device, dtype=torch.bfloat16):
        answer = network(given)
    return answer.float()


def _known(alpha: Tensor, trimap: Tensor) -> Tensor:
    """Alpha with the known pixels as the trimap has them."""
    return torch.where(trimap == 128, alpha.clamp(0, 1), (trimap == 255).float())


def _both_sizes(network: nn.Module, batch: Batch, device: str, choose: Tensor) -> tuple[Tensor, Tensor]:
    """Loss, and the squared error per unknown pixel at full size."""
    image, truth, trimap, prior = (part.to(device, non_blocking=True) for part in batch)
    alpha, believed = truth.float() / 255, prior.float() / 255
    small_image = functional.avg_pool2d(image.float(), 2)
    small_trimap, small_prior = halved(trimap), functional.avg_pool2d(believed, 2)
    coarse = _forward(network, small_image, small_trimap, small_prior, device)
    loss = _HALF_WEIGHT * edge_loss(coarse, functional.avg_pool2d(alpha, 2), small_trimap == 128)
    answered = functional.interpolate(_known(coarse.detach(), small_trimap), scale_factor=2.0, mode="bilinear")
    believed = torch.where(choose.to(device)[:, None, None, None], _known(answered, trimap), believed)
    fine = _forward(network, image, trimap, believed, device)
    unknown = trimap == 128
    loss = loss + edge_loss(fine, alpha, unknown)
    squared = ((_known(fine.detach(), trimap) - alpha) ** 2 * unknown).sum() / unknown.sum().clamp(min=1)
    return loss, squared


def run_leg(args: argparse.Namespace) -> float:
    """Train; returns the held-out squared error × 10³ per unknown pixel."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    leg = Leg(
        EdgeNetwork().to(device, memory_format=torch.channels_last),
        args.out / "checkpoint.pt",
        args.start_from,
        samples=args.samples,
        batch=args.batch,
        weight_decay=_WEIGHT_DECAY,
        warm_up_samples=_WARM_UP_SAMPLES,
    )
    validation = _held_out(args)
    maker = SampleMaker(args.source, args.side, renders=args.renders)
    loader = DataLoader(
        SampleRow(functools.partial(tensors, maker), args.seed, leg.samples, leg.left),
        batch_size=args.batch,
        num_workers=args.loaders,
        worker_init_fn=one_thread,
        prefetch_factor=4,
    )
    chance = torch.Generator().manual_seed(leg.samples)
    started, first, losses = time.monotonic(), leg.samples, list[float]()
    next_validation = leg.samples + args.validate_every
    for batch in loader:
        own_prior = torch.rand(len(batch[0]), generator=chance) < _OWN_PRIOR
        loss, _ = _both_sizes(leg.network, batch, device, own_prior)
        leg.step(loss, leg.rate(args.rate), len(own_prior))
        losses.append(loss.item())
        if len(losses) % 100 == 0:
            pace = (leg.samples - first) / (time.monotonic() - started)
            log.info(
                "step",
                samples=leg.samples,
                loss=round(float(np.mean(losses[-100:])), 4),
                per_second=round(pace, 1),
                minutes_left=round((leg.last - leg.samples) / pace / 60, 1),
            )
        if leg.samples >= next_validation:
            next_validation += args.validate_every
            leg.save()
            _validate(leg, validation, args, device, losses)
    leg.save()
    return _validate(leg, validation, args, device, losses)


def _held_out(args: argparse.Namespace) -> list[Batch]:
    maker = SampleMaker(args.source, args.side, held_out=True, renders=args.renders)
    samples = SampleRow(functools.partial(tensors, maker), _HELD_OUT_SEED, 0, _HELD_OUT_SAMPLES)
    return list(DataLoader(samples, batch_size=64))


def _validate(leg: Leg, validation: list[Batch], args: argparse.Namespace, device: str, losses: list[float]) -> float:
    leg.average.eval()
    with torch.inference_mode():
        errors = [
            _both_sizes(leg.average, batch, device, torch.ones(len(batch[0]), dtype=torch.bool))[1].item()
            for batch in validation
        ]
    mse = 1e3 * float(np.mean(errors))
    row = {"samples": leg.samples, "loss": round(float(np.mean(losses[-400:] or [0])), 4), "mse_e3": round(mse, 3)}
    keep_curve(args.out / "curve.csv", row)
    log.info("validated", **row)
    return mse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path("../shared/train"), help="folder of the training pack")
    parser.add_argument("--renders", type=Path, default=Path(".training/renders"), help="generated products")
    parser.add_argument("--out", type=Path, default=Path(".training/edge"), help="folder of checkpoint and curve")
    parser.add_argument("--side", type=int, default=128, help="pixels of a patch")
    add_leg_arguments(parser, samples=200_000)
    run_leg(parser.parse_args())


if __name__ == "__main__":
    main()
