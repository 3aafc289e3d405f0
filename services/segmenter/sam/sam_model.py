"""SAM's two halves, run with ONNX Runtime or by whoever else can run a network.

The contract, which `export.py` writes and the Triton model repository repeats; S is the square's side (1024 for the
published models), E = S / 16, G = S / 4, C the embedding's channels (256), N the batch and P the points of a prompt:

| half | in or out | name | type and shape |
|---|---|---|---|
| encoder | in | `image` | float32 (N, 3, S, S), letterboxed and normalised |
| | out | `image_embeddings` | float32 (N, C, E, E) |
| decoder | in | `image_embeddings` | float32 (N, C, E, E), one for each prompt |
| | in | `point_coords` | float32 (N, P, 2), x and y in pixels of the square |
| | in | `point_labels` | int64 (N, P): 1 product, 0 background, 2 and 3 box corners, -1 nothing |
| | in | `mask_input` | float32 (N, 1, G, G), logits |
| | in | `has_mask_input` | float32 (N, 1), 1 or 0 |
| | out | `low_res_logits` | float32 (N, 4, G, G): the mask for unambiguous prompts, then three for ambiguous ones |
| | out | `iou_predictions` | float32 (N, 4) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.segmenter.model import WeightsMismatchError, WeightsMissingError
from services.segmenter.model_files import digest_of
from services.segmenter.onnx_model import open_session
from services.segmenter.sam.letterbox import Letterbox
from services.segmenter.sam.prompts import Prompt

CHECKPOINT_KEY = "checkpoint_sha256"  # in both files' metadata


@dataclass(frozen=True, slots=True)
class Half:
    """Attributes:
    name: what a Triton server calls it.
    inputs, outputs: names of its tensors; the module says what they are.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def file(self) -> str:
        return f"{self.name}.onnx"


ENCODER = Half("sam-encoder", ("image",), ("image_embeddings",))
DECODER = Half(
    "sam-decoder",
    ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"),
    ("low_res_logits", "iou_predictions"),
)


class Network(Protocol):
    """One of the halves, wherever it runs: named arrays in, named arrays out; thread-safe."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]: ...


class OnnxNetwork:
    """A network of an ONNX file, on the CPU."""

    def __init__(self, file: Path, threads: int = 0, sha256: str | None = None) -> None:
        """Load the file.

        Args:
            file: written by `export.py`.
            threads: for one run; 0 lets ONNX Runtime use every core.
            sha256: digest that the file must have; None accepts any.

        Raises:
            WeightsMissingError, WeightsMismatchError: see there.
        """
        if not file.is_file():
            raise WeightsMissingError(
                f"sam: there is no {file}; export it from a checkpoint with python -m services.segmenter.sam.export, "
                "or leave sam out of the proposers"
            )
        if sha256 is not None and (digest := digest_of(file)) != sha256.lower():
            raise WeightsMismatchError(
                f"sam: {file} has sha256 {digest}, but {sha256} was asked for; export the right checkpoint or "
                "correct the digest"
            )
        self._session = open_session("sam", file, threads, ("CPUExecutionProvider",))
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))

    def shape_of(self, name: str) -> list[int | str]:
        """Declared shape of an input; names stand for sizes that may vary.

        Raises:
            WeightsMismatchError: the network has no such input.
        """
        for given in self._session.get_inputs():
            if given.name == name:
                return list(given.shape)
        raise WeightsMismatchError(f"sam: a network without input {name}; was it written by sam.export?")

    @property
    def checkpoint_sha256(self) -> str | None:
        """Digest of the checkpoint that it was exported from, or None where it does not say."""
        digest: str | None = self._session.get_modelmeta().custom_metadata_map.get(CHECKPOINT_KEY)
        return digest


class SamModel:
    """Asks SAM: an image becomes an embedding once, then every prompt is a quick question.

    Args:
        encoder, decoder: its halves.
        side_px: the square's side; every published model has 1024.
    """

    def __init__(self, encoder: Network, decoder: Network, side_px: int = 1024) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._side_px = side_px
        self.checkpoint_sha256: str | None = None
        """Of the checkpoint that both halves come from, where that is known."""

    @classmethod
    def load(cls, folder: Path, threads: int = 0, sha256: Mapping[str, str] | None = None) -> SamModel:
        """Both halves from a folder, as `export.py` leaves them.

        Args:
            folder: the models' folder.
            threads: of each half.
            sha256: digests that the halves' files must have, by the halves' names; others are accepted as they are.

        Raises:
            WeightsMissingError, WeightsMismatchError: see there; the latter also when the halves come from different
                checkpoints.
        """
        encoder, decoder = (
            OnnxNetwork(folder / half.file, threads, (sha256 or {}).get(half.name)) for half in (ENCODER, DECODER)
        )
        if encoder.checkpoint_sha256 != decoder.checkpoint_sha256:
            raise WeightsMismatchError(
                f"sam: {ENCODER.file} and {DECODER.file} in {folder} come from different checkpoints "
                f"({encoder.checkpoint_sha256} and {decoder.checkpoint_sha256}); export both again"
            )
        side_px = encoder.shape_of("image")[-1]
        if not isinstance(side_px, int):
            raise WeightsMismatchError(
                f"sam: {ENCODER.file} in {folder} does not fix its input's side; export it again"
            )
        model = cls(encoder, decoder, side_px)
        model.checkpoint_sha256 = encoder.checkpoint_sha256
        return model

    def letterbox(self, image: NDArray[np.uint8]) -> Letterbox:
        return Letterbox.of(image.shape[0], image.shape[1], self._side_px)

    def embed(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embedding (1, C, E, E) float32 of an image (H, W, 3) uint8 RGB."""
        square = self.letterbox(image).to_input(image)
        return np.asarray(self._encoder.run({"image": square})["image_embeddings"], np.float32)

    def ask(
        self, embedding: NDArray[np.float32], prompt: Prompt, mask_logits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Masks for one prompt.

        Args:
            embedding: of the image.
            prompt: its points and labels.
            mask_logits: float32 (G, G), the mask prompt.

        Returns:
            Logits float32 (4, G, G) and predicted IoU float32 (4,).
        """
        answer = self._decoder.run(
            {
                "image_embeddings": embedding,
                "point_coords": np.ascontiguousarray(prompt.points[None, :, ::-1]),
                "point_labels": prompt.labels[None],
                "mask_input": mask_logits[None, None],
                "has_mask_input": np.ones((1, 1), np.float32),
            }
        )
        return (
            np.asarray(answer["low_res_logits"][0], np.float32),
            np.asarray(answer["iou_predictions"][0], np.float32),
        )
