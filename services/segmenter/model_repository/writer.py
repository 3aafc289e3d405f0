"""Lays out a model repository: config.pbtxt, 1/model.onnx and, for the python backend, 1/model.py."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from services.segmenter.model_repository.catalogue import ServedModel
from services.segmenter.model_repository.config import Options, render_config
from services.segmenter.model_repository.signature import Signature, read_signature

_PYTHON_BACKEND = Path(__file__).with_name("python_backend.py")


def write_model(model: ServedModel, weights: Path, repository: Path, options: Options) -> Signature:
    """Write or overwrite one model's folder in a repository, and tell what it takes.

    The weights are hard-linked where both are on one file system, else copied.

    Raises:
        WeightsMissingError, WeightsMismatchError: see `read_signature`.
    """
    signature = read_signature(model, weights)
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    version = repository / model.name / "1"
    version.mkdir(parents=True, exist_ok=True)
    _link(weights, version / "model.onnx")
    beside = weights.with_name(f"{weights.name}.data")  # where a file of over 2 GB keeps its tensors
    if beside.exists():
        _link(beside, version / beside.name)
    script = version / "model.py"
    if options.backend == "python":
        shutil.copyfile(_PYTHON_BACKEND, script)
    else:
        script.unlink(missing_ok=True)
    (version.parent / "config.pbtxt").write_text(render_config(model.name, signature, digest, options))
    return signature


def _link(weights: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(weights.resolve(), target)
    except OSError:
        shutil.copyfile(weights, target)
