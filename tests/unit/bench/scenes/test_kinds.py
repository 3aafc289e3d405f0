"""Generated products: sound meshes, whatever the seed, and the same ones for the same seed."""

import numpy as np
import pytest

from bench.scenes import kinds, plants
from bench.scenes.scenes import Part

KINDS = kinds.KINDS | plants.KINDS


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_sound(name: str) -> None:
    for seed in range(3):
        parts = KINDS[name][0](np.random.default_rng(seed))
        for mesh in (part.mesh for part in parts):
            assert np.isfinite(mesh.vertices).all()
            assert np.isfinite(mesh.uv).all()
            assert np.linalg.norm(mesh.normals, axis=1) == pytest.approx(1, abs=1e-6)
            assert mesh.faces.min() >= 0
            assert mesh.faces.max() < len(mesh.vertices) == len(mesh.normals) == len(mesh.uv)


def content(parts: list[Part]) -> bytes:
    return b"".join(part.mesh.vertices.tobytes() + repr(part.material).encode() for part in parts)


def test_a_seed_draws_one_product_and_another_seed_another() -> None:
    name, parts = kinds.draw(np.random.default_rng(5))
    again, same = kinds.draw(np.random.default_rng(5))
    _, other = kinds.draw(np.random.default_rng(6))
    assert name == again
    assert content(parts) == content(same) != content(other)
