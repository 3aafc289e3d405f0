"""What can be put behind Triton: one row for each model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.segmenter.model_files import weights_path
from services.segmenter.registry import MODELS
from services.segmenter.sam.sam_model import DECODER, ENCODER


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Attributes:
    name: what the server calls it.
    weights_file: its ONNX file; inputs, shapes and types are read from it.
    side_px: the value of the input's open spatial dimensions, where it has any; 0 leaves them open.
    outputs: names of the outputs that are served; empty means the first one.
    max_batch: photos in one run at the most, where the model takes batches.
    """

    name: str
    weights_file: str
    side_px: int = 0
    outputs: tuple[str, ...] = ()
    max_batch: int = 8

    def weights(self, models_dir: Path) -> Path:
        """Where its file lies: beside the code when it ships with it, in the folder given otherwise."""
        spec = MODELS.get(self.name)
        return models_dir / self.weights_file if spec is None else weights_path(spec, models_dir)


SERVED: dict[str, ServedModel] = {
    row.name: row
    for row in (
        *(ServedModel(spec.name, spec.weights_file, spec.input_side_px) for spec in MODELS.values()),
        # A photo takes 2 GB in the encoder.
        ServedModel(ENCODER.name, ENCODER.file, outputs=ENCODER.outputs, max_batch=2),
        ServedModel(DECODER.name, DECODER.file, outputs=DECODER.outputs),
    )
}
"""By name. The contract of SAM's halves stands in `services/segmenter/sam/sam_model.py`."""
