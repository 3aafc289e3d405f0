"""Writes SAM's two halves as ONNX files: `python -m services.segmenter.sam.export --checkpoint … --model vit_b`.

Needs the `sam-export` extra (torch, segment-anything, torchvision); serving needs none of it. `sam_model.py` states the
contract of both files. They differ from segment-anything's own ONNX export in what serving needs: the encoder is
exported too, both take batches, and the decoder pairs every prompt with an embedding of its own, so that prompts of
different photos share a batch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from services.segmenter.sam.checkpoints import PUBLISHED, CheckpointError, check, sha256_of
from services.segmenter.sam.letterbox import GRID_STRIDE_PX
from services.segmenter.sam.prompts import BACKGROUND, BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, PRODUCT
from services.segmenter.sam.sam_model import CHECKPOINT_KEY, DECODER, ENCODER, OnnxNetwork
from services.segmenter.sam.torchvision_shim import declare_missing_operators

_OPSET = 17
_MAX_PROTOBUF_BYTES = 2**31 - 2**20  # beyond it the weights go into a second file


class ExportError(Exception):
    """The exported files do not compute what the checkpoint does."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Largest absolute difference between torch and ONNX Runtime, beside the largest absolute value."""

    output: str
    difference: float
    largest: float


class Decoder(nn.Module):  # type: ignore[misc]  # torch is not there when types are checked
    """SAM's prompt encoder and mask decoder as one network without control flow; see `sam_model.py`."""

    def __init__(self, sam: Any) -> None:
        super().__init__()
        self._prompts = sam.prompt_encoder
        self._masks = sam.mask_decoder
        self._side_px = sam.image_encoder.img_size
        kinds = [self._prompts.not_a_point_embed, *self._prompts.point_embeddings]
        self.register_buffer("_kinds", torch.cat([kind.weight for kind in kinds]).detach())  # of labels -1 … 3
        self.register_buffer("_positions", self._prompts.get_dense_pe().detach())
        tokens = [self._masks.iou_token.weight, self._masks.mask_tokens.weight]
        self.register_buffer("_tokens", torch.cat(tokens).detach()[None])

    def forward(
        self,
        image_embeddings: torch.Tensor,
        point_coords: torch.Tensor,
        point_labels: torch.Tensor,
        mask_input: torch.Tensor,
        has_mask_input: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        places = self._prompts.pe_layer._pe_encoding((point_coords + 0.5) / self._side_px)
        is_point = (point_labels >= 0).to(places.dtype)[..., None]
        points = places * is_point + nn.functional.embedding(point_labels + 1, self._kinds)

        has_mask = has_mask_input[..., None, None]
        no_mask = self._prompts.no_mask_embed.weight[..., None, None]
        image = image_embeddings + has_mask * self._prompts.mask_downscaling(mask_input) + (1 - has_mask) * no_mask

        batch = point_coords.shape[0]
        tokens = torch.cat([self._tokens.expand(batch, -1, -1), points], dim=1)
        tokens, pixels = self._masks.transformer(image, self._positions.expand(batch, -1, -1, -1), tokens)
        channels, side = self._positions.shape[1:3]
        upscaled = self._masks.output_upscaling(pixels.transpose(1, 2).reshape(batch, channels, side, side))
        kernels = [mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self._masks.output_hypernetworks_mlps)]
        logits = torch.einsum("bmc,bchw->bmhw", torch.stack(kernels, dim=1), upscaled)
        return logits, self._masks.iou_prediction_head(tokens[:, 0])


def load_checkpoint(file: Path, model: str) -> Any:
    """A `segment_anything.modeling.Sam` with a checkpoint's weights, which are read without running any code.

    Raises:
        CheckpointError: the file is not a checkpoint of this model.
    """
    declare_missing_operators()
    from segment_anything import sam_model_registry

    sam = sam_model_registry[model]()
    try:
        sam.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises whatever the reader of the day raises
        raise CheckpointError(f"{file} is not a checkpoint of {model}: {error}") from error
    return sam


def export(sam: Any, folder: Path, checkpoint_sha256: str, *, max_protobuf_bytes: int = _MAX_PROTOBUF_BYTES) -> None:
    """Write both halves of a `segment_anything.modeling.Sam` into a folder, replacing what is there.

    Weights of more than `max_protobuf_bytes` (vit_h's encoder) go into a file of their own, with `.data` appended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image, coords, labels, mask, has_mask = _example(sam, batch=2)
    side = sam.prompt_encoder.image_embedding_size[0]
    embedding = torch.randn(2, sam.prompt_encoder.embed_dim, side, side)
    answers = sam.mask_decoder.num_mask_tokens
    encoder = _trace(
        sam.image_encoder.eval(), {"image": image}, {"image_embeddings": tuple(embedding.shape[1:])}, folder
    )
    _save(encoder, folder / ENCODER.file, checkpoint_sha256, max_protobuf_bytes)
    decoder = _trace(
        Decoder(sam).eval(),
        {
            "image_embeddings": embedding,
            "point_coords": coords,
            "point_labels": labels,
            "mask_input": mask,
            "has_mask_input": has_mask,
        },
        {"low_res_logits": (answers, *mask.shape[-2:]), "iou_predictions": (answers,)},
        folder,
    )
    _save(decoder, folder / DECODER.file, checkpoint_sha256, max_protobuf_bytes)


def compare(sam: Any, folder: Path) -> list[Difference]:
    """Run the exported files and segment-anything's own modules on one random image and prompt.

    Raises:
        ExportError: an output differs by more than a thousandth of its largest value.
    """
    image, coords, labels, mask, has_mask = _example(sam, batch=1)
    with torch.no_grad():
        embedding = sam.image_encoder(image)
        # The reference takes a box apart from the points; the example's last two points are its corners.
        sparse, dense = sam.prompt_encoder(
            points=(coords[:, :-2], labels[:, :-2]), boxes=coords[:, -2:].reshape(1, 4), masks=mask
        )
        logits, iou = sam.mask_decoder.predict_masks(embedding, sam.prompt_encoder.get_dense_pe(), sparse, dense)
    reference = {"image_embeddings": embedding, "low_res_logits": logits, "iou_predictions": iou}
    answer = OnnxNetwork(folder / ENCODER.file).run({"image": image.numpy()})
    answer |= OnnxNetwork(folder / DECODER.file).run(
        {
            "image_embeddings": answer["image_embeddings"],
            "point_coords": coords.numpy(),
            "point_labels": labels.numpy(),
            "mask_input": mask.numpy(),
            "has_mask_input": has_mask.numpy(),
        }
    )
    differences = []
    for name, wanted in reference.items():
        values = wanted.numpy()
        differences.append(Difference(name, float(np.abs(answer[name] - values).max()), float(np.abs(values).max())))
    for one in differences:
        if not one.difference <= 1e-3 * one.largest:
            raise ExportError(
                f"{one.output} differs from torch by {one.difference:.2g} (largest value {one.largest:.2g}); "
                "the files must not be used: report it with the versions of torch and onnxruntime"
            )
    return differences


def _example(sam: Any, batch: int) -> list[torch.Tensor]:
    """A random image and a prompt of four points and a box for every item of a batch."""
    random = torch.Generator().manual_seed(0)
    side_px = sam.image_encoder.img_size
    grid = side_px // GRID_STRIDE_PX
    labels = [PRODUCT, PRODUCT, BACKGROUND, BACKGROUND, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]
    return [
        torch.randn(batch, 3, side_px, side_px, generator=random),
        torch.rand(batch, len(labels), 2, generator=random) * side_px,
        torch.tensor([labels] * batch),
        torch.randn(batch, 1, grid, grid, generator=random) * 4,
        torch.ones(batch, 1),
    ]


def _trace(
    network: Any, inputs: dict[str, torch.Tensor], outputs: dict[str, tuple[int, ...]], scratch: Path
) -> onnx.ModelProto:
    """The network as ONNX; every size is fixed but the batch and the number of points.

    Args:
        network: a module in evaluation mode.
        inputs: examples by name, with a batch.
        outputs: shapes by name, without the batch.
        scratch: a folder with room for the weights.
    """
    batched = {name: {0: "batch"} for name in (*inputs, *outputs)}
    for name in {"point_coords", "point_labels"} & inputs.keys():
        batched[name][1] = "points"
    with tempfile.TemporaryDirectory(dir=scratch) as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer names every shape that it takes for fixed, and they are
        file = str(Path(folder) / "traced.onnx")
        torch.onnx.export(
            network,
            tuple(inputs.values()),
            file,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=batched,
            opset_version=_OPSET,
            dynamo=False,
        )
        model = onnx.load(file)
    for output in model.graph.output:
        for dimension, size in zip(output.type.tensor_type.shape.dim[1:], outputs[output.name], strict=True):
            dimension.dim_value = size
    return model


def _save(model: onnx.ModelProto, file: Path, checkpoint_sha256: str, max_protobuf_bytes: int) -> None:
    """Write a model; torch spreads weights of over 2 GB over hundreds of files, here they share one."""
    model.metadata_props.add(key=CHECKPOINT_KEY, value=checkpoint_sha256)
    weights = file.with_name(f"{file.name}.data")
    weights.unlink(missing_ok=True)  # an older export's, which onnx would append to
    size = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    onnx.save(model, str(file), save_as_external_data=size > max_protobuf_bytes, location=weights.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the .pth file, e.g. sam_vit_b_01ec64.pth")
    parser.add_argument("--model", choices=sorted(PUBLISHED), required=True, help="its image encoder")
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder for both ONNX files")
    parser.add_argument("--any-checkpoint", action="store_true", help="export a checkpoint that Meta did not publish")
    args = parser.parse_args()
    try:
        digest = sha256_of(args.checkpoint)
        _say(f"sha256 {digest}  {args.checkpoint}")
        if not args.any_checkpoint:
            check(digest, args.model)
        sam = load_checkpoint(args.checkpoint, args.model)
        export(sam, args.out, digest)
        for one in compare(sam, args.out):
            _say(f"{one.output}: differs from torch by {one.difference:.1e} at most, values reach {one.largest:.3g}")
    except (CheckpointError, ExportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for name in (ENCODER.file, DECODER.file):
        _say(f"wrote {args.out / name}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
