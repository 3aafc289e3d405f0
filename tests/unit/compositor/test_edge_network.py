"""The shipped network: where it lies, what it promises."""

from pathlib import Path

import numpy as np
import pytest

from services.compositor import edge_network
from services.compositor.edge_network import PATCH_PX, EdgeNetworkMissingError


def test_known_pixels_are_answered_as_they_were_given() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (3, PATCH_PX, PATCH_PX, 3), dtype=np.uint8)
    trimaps = rng.choice(np.array([0, 128, 255], np.uint8), (3, PATCH_PX, PATCH_PX))
    alpha = edge_network.run(images, trimaps, np.full(trimaps.shape, 0.5, np.float32))
    assert alpha.dtype == np.float32
    assert np.all(alpha[trimaps == 0] == 0)
    assert np.all(alpha[trimaps == 255] == 1)
    assert alpha.min() >= 0
    assert alpha.max() <= 1


def test_a_missing_file_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    edge_network._session.cache_clear()
    monkeypatch.setattr(edge_network, "_WEIGHTS", tmp_path / "edge.onnx")
    patch = np.zeros((1, PATCH_PX, PATCH_PX), np.uint8)
    with pytest.raises(EdgeNetworkMissingError, match=r"edge\.onnx cannot be loaded.*install it again"):
        edge_network.run(np.zeros((*patch.shape, 3), np.uint8), patch, patch.astype(np.float32))
    edge_network._session.cache_clear()
