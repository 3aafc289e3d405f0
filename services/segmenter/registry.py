"""The learned models this service knows how to feed, and the checkpoints it knows how to export, one row each.

A row says how a photo becomes the model's input, what its output means, and where the weights are published, how large
and under which licence. Weights of others are never part of the project: `packshot models fetch` brings them. `sha256`
is the digest of the published file (of the ONNX models the one rembg's release v0.0.0 serves, whose md5 sums rembg's
session sources state), so that a report can say whether the published weights ran.

References
----------
Qin et al., "U²-Net", Pattern Recognition 106, 2020; Qin et al., "Highly Accurate Dichotomous Image Segmentation",
ECCV 2022 (IS-Net); Zheng et al., "Bilateral Reference for High-Resolution Dichotomous Image Segmentation", CAAI AIR
2024 (BiRefNet); Kirillov et al., "Segment Anything", ICCV 2023 (SAM). RMBG 1.4 and 2.0 are BRIA AI's training of IS-Net
and BiRefNet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything"

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
    url: where the file is published, or None where it ships with the project.
    size_bytes: of the published file, or None where it is not known.
    licence: SPDX identifier of the weights' licence; this project's own unless the row says another.
    commercial_use: the licence permits it.
    coarse: a quick model whose small matte wants help: it sees every picture mirrored too, comes closer twice, and its
        outline is cut along the image's edges.
    """

    name: str
    input_side_px: int
    scaling: Scaling
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    activation: Activation
    weights_file: str
    sha256: str | None
    url: str | None = None
    size_bytes: int | None = None
    licence: str = "Apache-2.0"
    commercial_use: bool = True
    coarse: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights of SAM to be exported to ONNX before they run; attributes as in ModelSpec."""

    name: str
    input_side_px: int
    weights_file: str
    sha256: str | None
    url: str | None
    size_bytes: int | None
    licence: str
    commercial_use: bool = True


class UnknownModelError(ValueError):
    """No row of the registry has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown model {name!r}; known models: {', '.join(sorted(known))}")
        self.name_given = name


def model_spec(name: str) -> ModelSpec:
    """The row of a model.

    Raises:
        UnknownModelError: naming the known ones.
    """
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModelError(name, MODELS) from None


def published(name: str) -> ModelSpec | Checkpoint:
    """The row of a model or checkpoint.

    Raises:
        UnknownModelError: naming the known ones.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownModelError(name, CATALOGUE) from None


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(  # trained by services/segmenter/training
            name="packshot",
            input_side_px=448,
            scaling=Scaling.BYTE,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            activation=Activation.NONE,
            weights_file="packshot.onnx",
            sha256="93bdcbb2a3cd4767e0787fd9e5ea97173c3831a8c57fb4b603d618b143c81211",
            coarse=True,
        ),
        ModelSpec(
            name="u2netp",
            input_side_px=320,
            scaling=Scaling.IMAGE_MAX,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.NONE,
            weights_file="u2netp.onnx",
            sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
            url=f"{_REMBG}/u2netp.onnx",
            size_bytes=4_574_861,
            licence="Apache-2.0",
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
            url=f"{_REMBG}/u2net.onnx",
            size_bytes=175_997_641,
            licence="Apache-2.0",
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
            url=f"{_REMBG}/isnet-general-use.onnx",
            size_bytes=178_648_008,
            licence="Apache-2.0",
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
            url=f"{_REMBG}/BiRefNet-general-epoch_244.onnx",
            size_bytes=972_666_916,
            licence="MIT",
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
            url=f"{_REMBG}/BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
            size_bytes=224_005_088,
            licence="MIT",
        ),
        ModelSpec(
            name="rmbg-1.4",
            input_side_px=1024,
            scaling=Scaling.BYTE,
            mean=(0.5, 0.5, 0.5),
            std=(1.0, 1.0, 1.0),
            activation=Activation.NONE,
            weights_file="bria-rmbg-1.4.onnx",
            sha256="8cafcf770b06757c4eaced21b1a88e57fd2b66de01b8045f35f01535ba742e0f",
            url="https://huggingface.co/briaai/RMBG-1.4/resolve/main/onnx/model.onnx",
            size_bytes=176_153_355,
            licence="LicenseRef-bria-rmbg-1.4",
            commercial_use=False,
        ),
        ModelSpec(
            name="rmbg-2.0",
            input_side_px=1024,
            scaling=Scaling.BYTE,
            mean=_IMAGENET_MEAN,
            std=_IMAGENET_STD,
            activation=Activation.NONE,
            weights_file="bria-rmbg-2.0.onnx",
            sha256="5b486f08200f513f460da46dd701db5fbb47d79b4be4b708a19444bcd4e79958",
            url=f"{_REMBG}/bria-rmbg-2.0.onnx",
            size_bytes=1_024_331_469,
            licence="CC-BY-NC-4.0",
            commercial_use=False,
        ),
    )
}

CHECKPOINTS: dict[str, Checkpoint] = {
    checkpoint.name: checkpoint
    for checkpoint in (
        Checkpoint(
            name="sam-vit-b",
            input_side_px=1024,
            weights_file="sam_vit_b_01ec64.pth",
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            url=f"{_SAM}/sam_vit_b_01ec64.pth",
            size_bytes=375_042_383,
            licence="Apache-2.0",
        ),
        Checkpoint(
            name="sam-vit-l",
            input_side_px=1024,
            weights_file="sam_vit_l_0b3195.pth",
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            url=f"{_SAM}/sam_vit_l_0b3195.pth",
            size_bytes=1_249_524_607,
            licence="Apache-2.0",
        ),
        Checkpoint(
            name="sam-vit-h",
            input_side_px=1024,
            weights_file="sam_vit_h_4b8939.pth",
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            url=f"{_SAM}/sam_vit_h_4b8939.pth",
            size_bytes=2_564_550_879,
            licence="Apache-2.0",
        ),
    )
}

CATALOGUE: dict[str, ModelSpec | Checkpoint] = {**MODELS, **CHECKPOINTS}
