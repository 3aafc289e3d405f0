"""Trimaps of exact mattes, and folders of scenes."""

from pathlib import Path

import numpy as np
from PIL import Image

from bench.edges.cases import exact_trimap, outline_trimap, scene_cases


def test_a_hard_edge_is_unknown_2_px_to_both_sides() -> None:
    matte = np.zeros((1024, 1024), np.uint8)
    matte[:, 500:] = 255
    trimap = exact_trimap(matte)
    assert np.flatnonzero(trimap[100] == 128).tolist() == list(range(497, 503))  # the step's own two pixels, and 2 more
    assert (trimap[:, :497] == 0).all()
    assert (trimap[:, 503:] == 255).all()


def test_what_is_neither_product_nor_background_is_unknown() -> None:
    matte = np.zeros((64, 64), np.uint8)
    matte[20:40, 20:40] = 120
    trimap = exact_trimap(matte)
    assert (trimap[20:40, 20:40] == 128).all()
    assert set(np.unique(trimap)) == {0, 128}


def test_a_matte_without_edge_leaves_nothing_open() -> None:
    assert (exact_trimap(np.full((8, 8), 255, np.uint8)) == 255).all()
    assert (exact_trimap(np.zeros((8, 8), np.uint8)) == 0).all()


def test_scenes_are_those_of_their_list(tmp_path: Path) -> None:
    (tmp_path / "scenes.csv").write_text(
        "name,group,backdrop,seed,width_px,height_px\nfur-1,hairy,wood,1,8,8\nmug-1,opaque,white,2,8,8\n"
    )
    Image.new("L", (8, 8), 255).save(tmp_path / "fur-1.matte.png")
    work = tmp_path / "work"
    work.mkdir()
    (case,) = scene_cases(tmp_path, work, lambda name: name.startswith("fur")).cases
    assert (case.name, case.group) == ("fur-1", "hairy")
    assert case.photo == tmp_path / "fur-1.jpg"
    assert case.trimap.is_file()


def test_of_a_see_through_product_only_the_outline_is_open() -> None:
    matte = np.zeros((1024, 1024), np.uint8)
    matte[200:800, 200:800] = 90
    outline = outline_trimap(exact_trimap(matte))
    assert np.flatnonzero(outline[500, :500] == 128).tolist() == list(range(198, 203))
    assert (outline[203:797, 203:797] == 255).all()
