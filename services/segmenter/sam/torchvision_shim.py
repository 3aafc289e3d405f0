"""Lets `segment_anything` be imported where torchvision's compiled operators do not fit the torch that is installed.

segment-anything imports torchvision for two helpers written in Python. torchvision's own import declares meta kernels
for its compiled operators `nms` and `qnms`, and fails when no library registered them: a CPU build of torch beside a
torchvision built for CUDA, say. Declaring both operators, without kernels, is enough to import it; nothing here calls
them. Where the library loads, nothing is changed.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch

_declared: list[torch.library.Library] = []  # an operator lives as long as its declaration


def declare_missing_operators() -> None:
    """Call before `import segment_anything`; calling it again does nothing."""
    if _declared or _is_declared() or _load_compiled():
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def _is_declared() -> bool:
    return hasattr(torch.ops.torchvision, "nms")


def _load_compiled() -> bool:
    """Load torchvision's operators as its own import would; False when they do not fit."""
    spec = find_spec("torchvision")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in Path(folder).glob("_C*.so"):
            with suppress(OSError):
                torch.ops.load_library(str(library))
                return _is_declared()
    return False
