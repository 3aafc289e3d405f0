"""Pairing, ranking, and peers that are or are not there."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.peers import PEERS, PYMATTING, PeerUnavailableError, run_peer
from bench.quality import area_under_roc, find_pairs


def picture(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(file)
    return file


def test_a_mask_belongs_to_the_photo_of_its_stem(tmp_path: Path) -> None:
    photo, mask = picture(tmp_path / "images" / "mug.jpg"), picture(tmp_path / "masks" / "mug.png")
    picture(tmp_path / "images" / "without.jpg")
    assert [(p.photo, p.mask) for p in find_pairs(photo.parent, mask.parent)] == [(photo, mask)]


def test_photos_and_masks_may_share_a_folder(tmp_path: Path) -> None:
    photo, mask = picture(tmp_path / "mug.jpg"), picture(tmp_path / "mug_a.png")
    assert [(p.photo, p.mask) for p in find_pairs(tmp_path, tmp_path, "_a")] == [(photo, mask)]


def test_auroc_is_the_chance_of_the_right_order() -> None:
    good = np.array([True, True, False, False])
    assert area_under_roc(np.array([0.9, 0.8, 0.2, 0.1]), good) == 1
    assert area_under_roc(np.array([0.9, 0.2, 0.8, 0.1]), good) == 0.75
    assert area_under_roc(np.array([0.5, 0.5, 0.5, 0.5]), good) == 0.5
    assert np.isnan(area_under_roc(np.array([0.5]), np.array([True])))


def test_a_peer_that_is_not_installed_says_so(tmp_path: Path) -> None:
    """The script runs without site-packages, so no rembg is found wherever the tests run."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    photo = picture(tmp_path / "mug.jpg")
    with pytest.raises(PeerUnavailableError, match="not installed: --peer-python has no rembg"):
        run_peer(PEERS["rembg-u2netp"], [photo], tmp_path, python=str(bare), weights=None)
    with pytest.raises(PeerUnavailableError, match="not installed: --peer-python has no pymatting"):
        run_peer(PYMATTING, [photo], tmp_path, python=str(bare), weights=None, options=("--mattes", str(tmp_path)))
    with pytest.raises(PeerUnavailableError, match="names no Python"):
        run_peer(PEERS["rembg-u2netp"], [photo], tmp_path, python="nowhere/python", weights=None)


def test_a_peer_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rembg that is only its name is enough: the weights are looked for before it is imported."""
    (tmp_path / "rembg-9.dist-info").mkdir()
    (tmp_path / "rembg-9.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: rembg\nVersion: 9\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    photo = picture(tmp_path / "mug.jpg")
    with pytest.raises(PeerUnavailableError, match="no weights: no u2netp"):
        run_peer(PEERS["rembg-u2netp"], [photo], tmp_path, python=sys.executable, weights=tmp_path)


def test_every_peer_has_its_script() -> None:
    import bench.peers

    assert all((Path(bench.peers.__file__).parent / peer.script).is_file() for peer in (*PEERS.values(), PYMATTING))
