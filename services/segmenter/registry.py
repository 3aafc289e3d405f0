"""The learned models this service knows how to feed, one row each.

A row says how a photo becomes the model's input and what its output means. Weights are never part of the project:
the operator gives a path. `sha256` is the digest of the widely distributed file (the one rembg's release v0.0.0
serves, whose md5 sums rembg's session sources state), so that a report can say whether the published weights ran.

References
----------
Qin et al., "U²-Net", Pattern Recognition 106, 2020; Qin et al., "Highly Accurate Dichotomous Image Segmentation",
ECCV 2022 (IS-Net); Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image Segmentation", CAAI AIR
2024 (BiRefNet).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class Scaling(Enum):
    """What 8-bit values are divided by before mean and deviation are applied."""

    BYTE = "byte"  # 255
    IMAGE_MAX = "image_max"  # the image's largest value, as U²-Net was trained


class Activation(Enum):
    """What turns the model's output into probabilities."""

    NONE = "none"  # already in [0, 1]
    SIGMOID = "sigmoid"  # logits


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Attributes:
    name: what settings and reports call it.
    input_side_px: the square input's side.
    scaling, mean, std: input normalisation, RGB.
    activation: what the first output still needs.
    weights_file: the file's usual name.
    sha256: digest of the published file, or None where none is known.
    """

    name: str
    input_side_px: int
    scaling: Scaling
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    activation: Activation
    weights_file: str
    sha256: str | None


class UnknownModelError(ValueError):
    """No row of the registry has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown model {name!r}; known models: {', '.join(sorted(MODELS))}")
        self.name_given = name


def model_spec(name: str) -> ModelSpec:
    """The row of a model.

    Raises:
        UnknownModelError: naming the known ones.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModelError(name) from None


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="u2netp",
            input_side_px=320,
            scaling=Scaling.IMAGE_MAX,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.NONE,
            weights_file="u2netp.onnx",
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        ),
        ModelSpec(
            name="u2net",
            input_side_px=320,
            scaling=Scaling.IMAGE_MAX,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.NONE,
            weights_file="u2net.onnx",
            sha256="8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        ),
        ModelSpec(
            name="isnet-general-use",
            input_side_px=1024,
            scaling=Scaling.BYTE,
            mean=(0.5, 0.5, 0.5),
            std=(1.0, 1.0, 1.0),
            activation=Activation.NONE,
            weights_file="isnet-general-use.onnx",
            sha256="60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        ),
        ModelSpec(
            name="birefnet",
            input_side_px=1024,
            scaling=Scaling.BYTE,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.SIGMOID,
            weights_file="BiRefNet-general-epoch_244.onnx",
            sha256="58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c",
        ),
        ModelSpec(
            name="birefnet-lite",
            input_side_px=1024,
            scaling=Scaling.BYTE,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.SIGMOID,
            weights_file="BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
            sha256="5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
        ),
    )
}
