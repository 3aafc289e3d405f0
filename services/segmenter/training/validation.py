"""The validation split: held-out photos with true masks, and composites of held-out cutouts, always the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.segmenter.training.composites import Sample, SampleMaker
from services.segmenter.training.network import Network, to_input
from services.segmenter.training.pack import Pack

_COMPOSITES = 128
_BATCH = 32

Scores = dict[str, float]


class ValidationSet:
    """Scores are mean IoU at 0.5 and the share with IoU ≥ 0.9, of the photos and of the composites.

    Raises:
        ValueError: the pack holds no photo with a true mask, or see SampleMaker.
    """

    def __init__(self, held_out: Pack, side: int) -> None:
        maker = SampleMaker(held_out, side)
        self._composites = [maker.composite(np.random.default_rng((7, i))) for i in range(_COMPOSITES)]
        whole = [(cv2.resize(p.image, (side, side)), cv2.resize(p.matte, (side, side)), p) for p in held_out.photos]
        self._photos = [
            Sample(np.asarray(image, np.uint8), np.asarray(matte, np.uint8), is_vote=False)
            for image, matte, photo in whole
            if not photo.is_vote
        ]
        if not self._photos:
            raise ValueError(
                "the pack holds no held-out photo with a true mask; add some to its source's photos_masked"
            )

    def score(self, network: Network) -> Scores:
        network.eval()
        photos = np.array([_iou(sample, matte) for sample, matte in _predicted(network, self._photos)])
        composites = np.array([_iou(sample, matte) for sample, matte in _predicted(network, self._composites)])
        network.train()
        return {
            "photos_iou": float(photos.mean()),
            "photos_good": float((photos >= 0.9).mean()),
            "composites_iou": float(composites.mean()),
            "composites_good": float((composites >= 0.9).mean()),
        }


def _predicted(network: Network, samples: list[Sample]) -> Iterator[tuple[Sample, NDArray[np.float32]]]:
    device = next(network.parameters()).device
    for start in range(0, len(samples), _BATCH):
        batch = samples[start : start + _BATCH]
        images = torch.from_numpy(np.stack([sample.image for sample in batch])).permute(0, 3, 1, 2)
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
            image = to_input(images.to(device)).contiguous(memory_format=torch.channels_last)
            finest: Tensor = network(image)[0]
        yield from zip(batch, finest.float().sigmoid()[:, 0].cpu().numpy(), strict=True)


def _iou(sample: Sample, matte: NDArray[np.float32]) -> float:
    truth, seen = sample.matte > 127, matte >= 0.5
    return float((truth & seen).sum() / max(1, (truth | seen).sum()))
