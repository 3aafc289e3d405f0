"""One leg of training: `python -m services.segmenter.training.train --samples 300000`.

Runs unchanged on the CPU (bfloat16, channels last) and on a GPU. A leg that was stopped goes on where its last
checkpoint was; a finished run starts the next leg, from the best it has learned. Sample number i is the same on every
machine. `curve.csv` beside the checkpoint keeps what each validation saw.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import structlog
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from services.segmenter.training.composites import SampleMaker
from services.segmenter.training.losses import matte_loss
from services.segmenter.training.network import SMALLEST_STEP, Network, to_input
from services.segmenter.training.pack import read_pack
from services.segmenter.training.validation import Scores, ValidationSet

_WARM_UP_SAMPLES = 6_000
_WEIGHT_DECAY = 0.02
_LARGEST_GRADIENT = 2.0
_AVERAGE_DECAY = 0.998
_LAST_RATE = 0.02  # of the leg's highest

log = structlog.get_logger()


@dataclass(slots=True)
class State:
    """Everything that a stopped leg needs to go on."""

    network: Network
    average: Network
    optimizer: torch.optim.Optimizer
    samples: int = 0
    leg_start: int = 0
    leg_end: int = 0


class _Samples(Dataset[tuple[Tensor, Tensor, bool]]):  # type: ignore[misc]  # torch is not there when types are checked
    """Sample `first + i` of the endless row that a seed means."""

    def __init__(self, maker: SampleMaker, seed: int, first: int, count: int) -> None:
        self._maker, self._seed, self._first, self._count = maker, seed, first, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, bool]:
        sample = self._maker.draw(np.random.default_rng((self._seed, self._first + index)))
        image = torch.from_numpy(np.ascontiguousarray(sample.image)).permute(2, 0, 1)
        return image, torch.from_numpy(np.ascontiguousarray(sample.matte))[None], sample.is_vote


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _rate(state: State, highest: float) -> float:
    """Linear warm-up, then half a cosine over the leg."""
    done = state.samples - state.leg_start
    if done < _WARM_UP_SAMPLES:
        return highest * (done + 1) / _WARM_UP_SAMPLES
    share = (done - _WARM_UP_SAMPLES) / max(1, state.leg_end - state.leg_start - _WARM_UP_SAMPLES)
    return highest * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def _start(checkpoint: Path, start_from: Path | None, device: torch.device, samples: int, batch: int) -> State:
    network = Network().to(device, memory_format=torch.channels_last)
    state = State(network, copy.deepcopy(network), torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY))
    if checkpoint.exists():
        saved: dict[str, Any] = torch.load(checkpoint, map_location=device, weights_only=True)
        state.network.load_state_dict(saved["network"])
        state.average.load_state_dict(saved["average"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.samples, state.leg_start, state.leg_end = saved["samples"], saved["leg_start"], saved["leg_end"]
    elif start_from is not None:
        kept: dict[str, Any] = torch.load(start_from, map_location=device, weights_only=True)
        state.average.load_state_dict(kept["average"])
        state.samples = state.leg_end = kept["samples"]
    if state.leg_end - state.samples < batch:  # less than a step is left of it
        state.network.load_state_dict(state.average.state_dict())
        state.leg_start, state.leg_end = state.samples, state.samples + samples
    return state


def _save(state: State, checkpoint: Path) -> None:
    partial = checkpoint.with_suffix(".part")
    torch.save(
        {
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "samples": state.samples,
            "leg_start": state.leg_start,
            "leg_end": state.leg_end,
        },
        partial,
    )
    partial.replace(checkpoint)


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _keep_curve(file: Path, row: dict[str, object]) -> None:
    is_new = not file.exists()
    with file.open("a", newline="") as opened:
        writer = csv.DictWriter(opened, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def run_leg(args: argparse.Namespace) -> Scores:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / "checkpoint.pt"
    torch.manual_seed(args.seed)
    state = _start(checkpoint, args.start_from, device, args.samples, args.batch)
    train, held_out = read_pack(args.pack)
    validation = ValidationSet(held_out, args.side)
    log.info(
        "leg",
        device=str(device),
        cutouts=len(train.cutouts),
        photos=len(train.photos),
        grounds=len(train.grounds),
        first=state.samples,
        last=state.leg_end,
    )
    left = state.leg_end - state.samples
    loader = DataLoader(
        _Samples(SampleMaker(train, args.side), args.seed, state.samples, left // args.batch * args.batch),
        batch_size=args.batch,
        num_workers=args.loaders,
        worker_init_fn=_one_thread,
        prefetch_factor=4,
        pin_memory=device.type == "cuda",
    )
    started, first, losses = time.monotonic(), state.samples, list[float]()
    next_validation = state.samples + args.validate_every
    for image, matte, is_vote in loader:
        rate = _rate(state, args.rate)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        image = to_input(image.to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        target = matte.to(device, non_blocking=True).float().div_(255)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = state.network(image)
        loss = matte_loss(outputs, target, is_vote.to(device))
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(state.network.parameters(), _LARGEST_GRADIENT)
        state.optimizer.step()
        steps = state.samples // args.batch
        _follow(state.average, state.network, min(_AVERAGE_DECAY, (1 + steps) / (10 + steps)))
        state.samples += len(image)
        losses.append(loss.item())
        if len(losses) % 50 == 0:
            pace = (state.samples - first) / (time.monotonic() - started)
            minutes = (state.leg_end - state.samples) / pace / 60
            log.info(
                "step",
                samples=state.samples,
                loss=round(float(np.mean(losses[-50:])), 4),
                rate=round(rate, 6),
                per_second=round(pace, 1),
                minutes_left=round(minutes, 1),
            )
        if state.samples >= next_validation:
            next_validation += args.validate_every
            _save(state, checkpoint)
            _validate(state, validation, args, losses, rate)
    _save(state, checkpoint)
    return _validate(state, validation, args, losses, 0.0)


def _validate(
    state: State, validation: ValidationSet, args: argparse.Namespace, losses: list[float], rate: float
) -> Scores:
    scores = validation.score(state.average)
    loss = float(np.mean(losses[-200:] or [0]))
    row: dict[str, object] = {"samples": state.samples, "rate": round(rate, 7), "loss": round(loss, 4)}
    row |= {name: round(value, 4) for name, value in scores.items()}
    _keep_curve(args.out / "curve.csv", row)
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
    parser.add_argument(
        "--start-from", type=Path, metavar="WEIGHTS", help="what a run without a checkpoint starts from"
    )
    parser.add_argument("--samples", type=int, default=300_000, help="of a new leg")
    parser.add_argument("--side", type=input_side, default=256, help="pixels of the square input")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate of the leg")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loaders", type=int, default=1, help="processes that make samples")
    parser.add_argument("--validate-every", type=int, default=20_000, metavar="SAMPLES")
    run_leg(parser.parse_args())


if __name__ == "__main__":
    main()
