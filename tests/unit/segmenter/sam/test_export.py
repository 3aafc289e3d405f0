"""SAM through ONNX Runtime against segment-anything's own code, with a small SAM of random weights.

Needs torch, segment-anything and torchvision, and is skipped where one is missing. To run it:

    pip install torch segment-anything && pip install --no-deps torchvision
    pytest tests/unit/segmenter/sam/test_export.py
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if missing := [name for name in ("torch", "segment_anything", "torchvision") if find_spec(name) is None]:
    pytest.skip(f"needs {', '.join(missing)}: the sam-export extra", allow_module_level=True)

import torch

from services.segmenter.model import WeightsMismatchError
from services.segmenter.sam.export import ExportError, compare, export, main
from services.segmenter.sam.prompts import Prompt, make_prompts
from services.segmenter.sam.sam_model import DECODER, ENCODER, OnnxNetwork, SamModel
from services.segmenter.sam.torchvision_shim import declare_missing_operators
from services.segmenter.server import create
from services.segmenter.settings import SegmenterSettings
from tests.helpers import scenes

declare_missing_operators()
import segment_anything  # noqa: E402

from tests.helpers.tiny_sam import SIDE_PX, random_sam  # noqa: E402


@pytest.fixture(scope="module")
def sam() -> Any:
    return random_sam()


@pytest.fixture(scope="module")
def folder(sam: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    export(sam, folder, "0" * 64)
    return folder


def test_a_photo_and_its_prompt_give_what_segment_anything_gives(sam: Any, folder: Path) -> None:
    """From 8-bit pixels to logits: our letterbox, encoder and decoder against SamPredictor."""
    scene = scenes.photograph(scenes.RING, scenes.BLUE)
    model = SamModel.load(folder, threads=1)
    letterbox = model.letterbox(scene.photo)
    prompt = make_prompts(letterbox.to_grid(scene.matte), letterbox)[0]
    embedding = model.embed(scene.photo)
    logits, iou = model.ask(embedding, prompt, prompt.mask_logits)

    predictor = segment_anything.SamPredictor(sam)
    predictor.set_image(scene.photo)
    wanted_logits, wanted_iou = reference(predictor, prompt)
    wanted_embedding = predictor.get_image_embedding().numpy()
    assert embedding.shape == (1, 32, SIDE_PX // 16, SIDE_PX // 16)
    assert np.abs(embedding - wanted_embedding).max() <= 2e-5  # values reach about 4
    assert np.abs(logits[1:] - wanted_logits).max() <= 1e-5
    assert np.abs(iou[1:] - wanted_iou).max() <= 1e-5
    assert np.abs(wanted_logits).max() > 0.05  # an untrained decoder is shy, but not silent


def reference(predictor: Any, prompt: Prompt) -> tuple[Any, Any]:
    """Low-resolution logits and predicted IoU of the three ambiguous masks, in the predictor's own coordinates."""
    with torch.no_grad():
        _, iou, logits = predictor.predict_torch(
            point_coords=torch.from_numpy(prompt.points[None, :-2, ::-1].copy()),
            point_labels=torch.from_numpy(prompt.labels[None, :-2].copy()),
            boxes=torch.from_numpy(prompt.points[-2:, ::-1].reshape(1, 4).copy()),
            mask_input=torch.from_numpy(prompt.mask_logits[None, None].copy()),
            multimask_output=True,
        )
    return logits[0].numpy(), iou[0].numpy()


def test_every_output_is_compared_with_torch(sam: Any, folder: Path) -> None:
    differences = compare(sam, folder)
    assert [one.output for one in differences] == ["image_embeddings", "low_res_logits", "iou_predictions"]
    assert all(one.difference <= 2e-5 < one.largest for one in differences)


def test_files_of_other_weights_are_found_out(folder: Path) -> None:
    with pytest.raises(ExportError, match="image_embeddings differs from torch by"):
        compare(random_sam(seed=4), folder)


@pytest.mark.parametrize("with_mask", [False, True])
def test_a_batch_pairs_every_prompt_with_its_own_embedding(sam: Any, folder: Path, with_mask: bool) -> None:
    """Without a box, segment-anything appends a point of label -1; without a mask, an embedding for none."""
    rng = np.random.default_rng(7)
    embeddings = rng.normal(size=(3, 32, 16, 16)).astype(np.float32)
    coords = rng.uniform(0, SIDE_PX, (3, 2, 2)).astype(np.float32)
    masks = rng.normal(size=(3, 1, 64, 64)).astype(np.float32)
    answer = OnnxNetwork(folder / DECODER.file, threads=1).run(
        {
            "image_embeddings": embeddings,
            "point_coords": np.concatenate([coords, np.zeros((3, 1, 2), np.float32)], axis=1),
            "point_labels": np.tile(np.array([1, 0, -1]), (3, 1)),
            "mask_input": masks,
            "has_mask_input": np.full((3, 1), float(with_mask), np.float32),
        }
    )
    assert answer["low_res_logits"].shape == (3, 4, 64, 64)
    for item in range(3):
        with torch.no_grad():
            sparse, dense = sam.prompt_encoder(
                points=(torch.from_numpy(coords[item][None]), torch.tensor([[1, 0]])),
                boxes=None,
                masks=torch.from_numpy(masks[item][None]) if with_mask else None,
            )
            logits, iou = sam.mask_decoder.predict_masks(
                torch.from_numpy(embeddings[item][None]), sam.prompt_encoder.get_dense_pe(), sparse, dense
            )
        assert np.abs(answer["low_res_logits"][item] - logits[0].numpy()).max() <= 1e-5
        assert np.abs(answer["iou_predictions"][item] - iou[0].numpy()).max() <= 1e-5


def test_the_encoder_takes_batches(folder: Path) -> None:
    encoder = OnnxNetwork(folder / ENCODER.file, threads=1)
    images = np.random.default_rng(1).normal(size=(3, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
    together = encoder.run({"image": images})["image_embeddings"]
    alone = [encoder.run({"image": image[None]})["image_embeddings"][0] for image in images]
    assert together == pytest.approx(np.stack(alone), abs=1e-5)


def test_large_weights_lie_in_one_file_beside_the_model(sam: Any, tmp_path: Path) -> None:
    for _ in range(2):  # exporting again replaces, it does not append
        export(sam, tmp_path, "0" * 64, max_protobuf_bytes=1)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {ENCODER.file, f"{ENCODER.file}.data", DECODER.file, f"{DECODER.file}.data"}
    assert (tmp_path / f"{ENCODER.file}.data").stat().st_size < 1.2 * 4 * count_weights(sam.image_encoder)
    assert max(one.difference for one in compare(sam, tmp_path)) <= 2e-5


def count_weights(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_halves_of_different_checkpoints_do_not_load(sam: Any, folder: Path, tmp_path: Path) -> None:
    export(sam, tmp_path, "1" * 64)
    (tmp_path / DECODER.file).write_bytes((folder / DECODER.file).read_bytes())
    with pytest.raises(WeightsMismatchError, match="come from different checkpoints"):
        SamModel.load(tmp_path)


def test_the_command_exports_a_checkpoint(
    sam: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, out = tmp_path / "own.pth", tmp_path / "models"
    torch.save(sam.state_dict(), checkpoint)
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", lambda: random_sam(seed=5))
    command = ["export", "--checkpoint", str(checkpoint), "--model", "vit_b", "--out", str(out)]

    monkeypatch.setattr("sys.argv", command)
    assert main() == 1
    assert "is not that of the published sam_vit_b_01ec64.pth" in capsys.readouterr().err
    assert not out.exists()

    monkeypatch.setattr("sys.argv", [*command, "--any-checkpoint"])
    assert main() == 0
    said = capsys.readouterr().out
    assert f"sha256 {OnnxNetwork(out / ENCODER.file).checkpoint_sha256}" in said
    assert "low_res_logits: differs from torch by" in said
    assert max(one.difference for one in compare(sam, out)) <= 2e-5


def test_the_command_refuses_weights_of_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "other.pth"
    torch.save({"something": torch.zeros(3)}, checkpoint)
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", random_sam)
    monkeypatch.setattr("sys.argv", ["export", "--checkpoint", str(checkpoint), "--model", "vit_b", "--any-checkpoint"])
    assert main() == 1
    assert "is not a checkpoint of vit_b" in capsys.readouterr().err


def test_halves_must_have_the_digests_asked_for(folder: Path) -> None:
    digest = hashlib.sha256((folder / ENCODER.file).read_bytes()).hexdigest()
    SamModel.load(folder, 1, {ENCODER.name: digest.upper()})
    with pytest.raises(WeightsMismatchError, match=rf"sam-decoder\.onnx has sha256 .*, but {digest} was asked for"):
        SamModel.load(folder, 1, {DECODER.name: digest})


async def test_the_segmenter_starts_with_sam(folder: Path) -> None:
    settings = SegmenterSettings(proposers=("classical", "sam"), models_dir=folder, onnx_threads=1)
    assert create(settings).name == "packshot.v1.SegmenterService"


def test_declaring_the_operators_again_does_nothing() -> None:
    declare_missing_operators()
    assert hasattr(torch.ops.torchvision, "nms")
