"""Lays out a model repository: config.pbtxt, 1/model.onnx and, for the python backend, 1/model.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from services.segmenter.model_files import digest_of
from services.segmenter.model_repository.catalogue import ServedModel
from services.segmenter.model_repository.config import Options, render_config
from services.segmenter.model_repository.open_batch import open_batch
from services.segmenter.model_repository.signature import OPEN, Signature, read_signature

_PYTHON_BACKEND = Path(__file__).with_name("python_backend.py")


def write_model(
    model: ServedModel, weights: Path, repository: Path, options: Options, *, open_batch_of_one: bool = False
) -> Signature:
    """Write or overwrite one model's folder in a repository, and tell what it takes.

    The weights are hard-linked where both are on one file system, else copied; with `open_batch_of_one` a model that
    was exported for one photo is written so that it takes batches, where that is true to it.

    Raises:
        WeightsMissingError, WeightsMismatchError: see `read_signature`.
    """
    signature = read_signature(model, weights)
    digest = digest_of(weights)
    version = repository / model.name / "1"
    version.mkdir(parents=True, exist_ok=True)
    opened = open_batch(weights) if open_batch_of_one and _is_for_one_photo(signature) else None
    target = version / "model.onnx"
    target.unlink(missing_ok=True)  # it may be a link to the operator's file
    if opened is not None:
        target.write_bytes(opened)
        signature = read_signature(model, target)
    else:
        _link(weights, target)
    beside = weights.with_name(f"{weights.name}.data")  # where a file of over 2 GB keeps its tensors
    if beside.exists():
        (version / beside.name).unlink(missing_ok=True)
        _link(beside, version / beside.name)
    script = version / "model.py"
    if options.backend == "python":
        shutil.copyfile(_PYTHON_BACKEND, script)
    else:
        script.unlink(missing_ok=True)
    (version.parent / "config.pbtxt").write_text(render_config(model.name, signature, digest, options, model.max_batch))
    return signature


def _is_for_one_photo(signature: Signature) -> bool:
    return [tensor.dims[:2] for tensor in signature.inputs] == [(1, 3)] and OPEN not in signature.inputs[0].dims


def _link(weights: Path, target: Path) -> None:
    try:
        os.link(weights.resolve(), target)
    except OSError:
        shutil.copyfile(weights, target)
