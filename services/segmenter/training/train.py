"""One leg of training: `python -m services.segmenter.training.train --samples 300000`.

Runs unchanged on the CPU (bfloat16, channels last) and on a GPU. A leg that was stopped goes on where its last
checkpoint was; a finished run starts the next leg, from the best it has learned. Sample number i is the same on every
machine. `curve.csv` beside the checkpoint keeps what each validation saw.
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path

import numpy as np
import structlog
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from services.common.training_leg import Leg, SampleRow, add_leg_arguments, keep_curve, one_thread
from services.segmenter.training.composites import SampleMaker
from services.segmenter.training.losses import matte_loss
from services.segmenter.training.network import SMALLEST_STEP, Network, to_input
from services.segmenter.training.pack import read_pack
from services.segmenter.training.validation import Scores, ValidationSet

_WARM_UP_SAMPLES = 2_000
_WEIGHT_DECAY = 0.02

log = structlog.get_logger()


def tensors(maker: SampleMaker, rng: np.random.Generator) -> tuple[Tensor, Tensor, bool]:
    """A sample as bytes: image (3, S, S), matte (1, S, S), and whether the matte is a vote."""
    sample = maker.draw(rng)
    image = torch.from_numpy(np.ascontiguousarray(sample.image)).permute(2, 0, 1)
    return image, torch.from_numpy(np.ascontiguousarray(sample.matte))[None], sample.is_vote


def start_leg(checkpoint: Path, start_from: Path | None, device: torch.device, samples: int, batch: int) -> Leg:
    """The leg to go on with, or the next one; see `Leg`."""
    network = Network().to(device, memory_format=torch.channels_last)
    return Leg(
        network,
        checkpoint,
        start_from,
        samples=samples,
        batch=batch,
        weight_decay=_WEIGHT_DECAY,
        warm_up_samples=_WARM_UP_SAMPLES,
    )


def run_leg(args: argparse.Namespace) -> Scores:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    leg = start_leg(args.out / "checkpoint.pt", args.start_from, device, args.samples, args.batch)
    train, held_out = read_pack(args.pack)
    validation = ValidationSet(held_out, args.side)
    log.info(
        "leg",
        device=str(device),
        cutouts=len(train.cutouts),
        photos=len(train.photos),
        grounds=len(train.grounds),
        first=leg.samples,
        last=leg.last,
    )
    maker = SampleMaker(train, args.side)
    loader = DataLoader(
        SampleRow(functools.partial(tensors, maker), args.seed, leg.samples, leg.left),
        batch_size=args.batch,
        num_workers=args.loaders,
        worker_init_fn=one_thread,
        prefetch_factor=4,
        pin_memory=device.type == "cuda",
    )
    started, first, losses = time.monotonic(), leg.samples, list[float]()
    next_validation = leg.samples + args.validate_every
    for image, matte, is_vote in loader:
        rate = leg.rate(args.rate)
        image = to_input(image.to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        target = matte.to(device, non_blocking=True).float().div_(255)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = leg.network(image)
        loss = matte_loss(outputs, target, is_vote.to(device))
        leg.step(loss, rate, len(image))
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            pace = (leg.samples - first) / (time.monotonic() - started)
            minutes = (leg.last - leg.samples) / pace / 60
            log.info(
                "step",
                samples=leg.samples,
                loss=round(float(np.mean(losses[-50:])), 4),
                rate=round(rate, 6),
                per_second=round(pace, 1),
                minutes_left=round(minutes, 1),
            )
        if leg.samples >= next_validation:
            next_validation += args.validate_every
            leg.save()
            _validate(leg, validation, args, losses, rate)
    leg.save()
    return _validate(leg, validation, args, losses, 0.0)


def _validate(
    leg: Leg, validation: ValidationSet, args: argparse.Namespace, losses: list[float], rate: float
) -> Scores:
    scores = validation.score(leg.average)
    loss = float(np.mean(losses[-200:] or [0]))
    row: dict[str, object] = {"samples": leg.samples, "rate": round(rate, 7), "loss": round(loss, 4)}
    row |= {name: round(value, 4) for name, value in scores.items()}
    keep_curve(args.out / "curve.csv", row)
    log.info("validated", **row)
    return scores


def input_side(text: str) -> int:
    """Reads the argument --side."""
    side = int(text)
    if side <= 0 or side % SMALLEST_STEP:
        raise argparse.ArgumentTypeError(f"must be a multiple of {SMALLEST_STEP}, not {side}")
    return side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--pack", type=Path, default=Path(".training/pack"), help="folder of the pack's pieces")
    parser.add_argument("--out", type=Path, default=Path(".training/run"), help="folder of checkpoint and curve")
    parser.add_argument("--side", type=input_side, default=448, help="pixels of the square input")
    add_leg_arguments(parser, samples=300_000)
    run_leg(parser.parse_args())


if __name__ == "__main__":
    main()
