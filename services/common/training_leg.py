"""What every trainer here does the same way: legs that can be stopped and go on, and the curve that is kept of them.

Training runs in legs: the learning rate warms up and falls along half a cosine, and the weights are averaged along the
way. A leg that was stopped goes on where its last checkpoint was; when it is finished the next one starts from the best
that was learned. Needs torch, the `training` extra.

References:
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017; Polyak, Juditsky,
    "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control and Optimization 30(4), 1992.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

_LAST_RATE = 0.02  # of the leg's highest
_AVERAGE_DECAY = 0.998
_LARGEST_GRADIENT = 2.0

T_co = TypeVar("T_co", covariant=True)


class Leg:
    """Network, average, optimizer and how far the leg has come: all that a stopped leg needs to go on.

    Args:
        network: Freshly made, on its device.
        checkpoint: File that the leg is kept in; read if it is there.
        start_from: Weights to begin with where there is no checkpoint.
        samples: Length of a new leg.
        batch: Samples of a step.
        weight_decay: The optimizer's (AdamW).
        warm_up_samples: While the rate rises.
    """

    def __init__(
        self,
        network: nn.Module,
        checkpoint: Path,
        start_from: Path | None,
        *,
        samples: int,
        batch: int,
        weight_decay: float,
        warm_up_samples: int,
    ) -> None:
        self.network = network
        self.average = copy.deepcopy(network)
        self.optimizer = torch.optim.AdamW(network.parameters(), weight_decay=weight_decay)
        self.samples = self.first = self.last = 0
        self._checkpoint = checkpoint
        self._batch = batch
        self._warm_up = warm_up_samples
        if checkpoint.exists():
            saved: dict[str, Any] = torch.load(checkpoint, map_location=_device(network), weights_only=True)
            self.network.load_state_dict(saved["network"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.samples, self.first, self.last = saved["samples"], saved["leg_start"], saved["leg_end"]
        elif start_from is not None:
            kept: dict[str, Any] = torch.load(start_from, map_location=_device(network), weights_only=True)
            self.average.load_state_dict(kept["average"])
            self.samples = self.last = kept["samples"]
        if self.last - self.samples < batch:  # less than a step is left of it
            self.network.load_state_dict(self.average.state_dict())
            self.first, self.last = self.samples, self.samples + samples

    @property
    def left(self) -> int:
        """Samples left, in whole steps."""
        return (self.last - self.samples) // self._batch * self._batch

    def rate(self, highest: float) -> float:
        """Linear warm-up, then half a cosine over the leg."""
        done = self.samples - self.first
        if done < self._warm_up:
            return highest * (done + 1) / self._warm_up
        share = (done - self._warm_up) / max(1, self.last - self.first - self._warm_up)
        return highest * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))

    def step(self, loss: torch.Tensor, rate: float, samples: int) -> None:
        """Learn from a batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        steps = self.samples // self._batch
        _follow(self.average, self.network, min(_AVERAGE_DECAY, (1 + steps) / (10 + steps)))
        self.samples += samples

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        partial = self._checkpoint.with_suffix(".part")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "samples": self.samples,
                "leg_start": self.first,
                "leg_end": self.last,
            },
            partial,
        )
        partial.replace(self._checkpoint)


class SampleRow(Dataset[T_co], Generic[T_co]):  # type: ignore[misc]  # torch is not there when types are checked
    """Samples `first` to `first + count` of the endless row that a seed means, the same on every machine."""

    def __init__(self, draw: Callable[[np.random.Generator], T_co], seed: int, first: int, count: int) -> None:
        self._draw, self._seed, self._first, self._count = draw, seed, first, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> T_co:
        return self._draw(np.random.default_rng((self._seed, self._first + index)))


def add_leg_arguments(parser: argparse.ArgumentParser, *, samples: int) -> None:
    """What can be said of any leg on the command line; `samples` is its length where nothing is said."""
    parser.add_argument(
        "--start-from", type=Path, metavar="WEIGHTS", help="what a run without a checkpoint starts from"
    )
    parser.add_argument("--samples", type=int, default=samples, help="of a new leg")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate of the leg")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loaders", type=int, default=1, help="processes that make samples")
    parser.add_argument("--validate-every", type=int, default=20_000, metavar="SAMPLES")


def one_thread(_: int) -> None:
    """For a process that makes samples: the trainer has the other cores."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def keep_curve(file: Path, row: Mapping[str, object]) -> None:
    """Append what a validation saw to a CSV file."""
    is_new = not file.exists()
    with file.open("a", newline="") as opened:
        writer = csv.DictWriter(opened, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)
