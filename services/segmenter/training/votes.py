"""Votes of a teacher model on real photos: `python -m services.segmenter.training.votes`.

Self-training with agreement filtering: a teacher sees each photo as it is and mirrored; where the two mattes agree,
their mean may serve as the photo's label. How well they agree is kept with them, so that the reader chooses the line.
Masked photos are voted on, too: their masks hold slivers of shadow. What several teachers make of a photo meets in
consensus.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from services.segmenter.learned import LearnedProposer
from services.segmenter.masks import soft_iou
from services.segmenter.onnx_model import OnnxModel
from services.segmenter.registry import model_spec

FOLDERS = ("unlabelled", "photos_masked")

log = structlog.get_logger()


def vote(teacher: LearnedProposer, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """The mean matte of two views (S, S) float32 in [0, 1], and their soft IoU."""
    seen = teacher.probabilities(image)
    mirrored = teacher.probabilities(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
    return np.asarray((seen + mirrored) / 2, np.float32), soft_iou(seen, mirrored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=Path("../shared/train"), help=f"holds {' and '.join(FOLDERS)}")
    parser.add_argument("--model", default="u2netp", help="the teacher: a model of the registry")
    parser.add_argument("--weights", type=Path, default=Path("../shared/models/u2netp.onnx"))
    parser.add_argument("--out", type=Path, default=Path(".training/votes"), help="votes go to MODEL/FOLDER in it")
    args = parser.parse_args()
    spec = model_spec(args.model)
    teacher = LearnedProposer(spec, OnnxModel(spec, args.weights))
    photos = [photo for folder in FOLDERS for photo in sorted((args.source / folder).glob("*.jpg"))]
    for count, photo in enumerate(photos, 1):
        target = args.out / args.model / photo.parent.name / f"{photo.stem}.npz"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            matte, agreement = vote(teacher, cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB))
            np.savez_compressed(target, matte=np.rint(matte * 255).astype(np.uint8), agreement=np.float32(agreement))
        if count % 100 == 0:
            log.info("voted", photos=count, of=len(photos))


if __name__ == "__main__":
    main()
