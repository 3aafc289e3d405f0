"""From a source folder to pieces and back."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from services.segmenter.training import pack as pack_module
from services.segmenter.training.pack import Pack, read_pack, write_pack
from tests.helpers.training_pack import CYAN, GREY, ORANGE, Image, Source, disc, even, names, product_on, whole_source

MATTE = disc(48, 16)
CUTOUT = product_on(even(48, 48, (255, 255, 255)), CYAN, MATTE)
TRAINED_ON = names("foregrounds_white", 4, held_out=False)


def packed(source: Source, *, grades: str = "AB") -> tuple[Pack, Pack]:
    out = source.folder / "pack"
    folder = source.folder
    write_pack(folder, folder / "votes", folder / "renders", folder / "staged", out, set(grades))
    return read_pack(out)


def vote(source: Source, model: str, photo: str, matte: Image, agreement: float = 1.0) -> None:
    file = (source.folder / "votes" / model / photo).with_suffix(".npz")
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, matte=matte, agreement=np.float32(agreement))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_held_out_files_are_kept_apart(tmp_path: Path) -> None:
    for part in packed(whole_source(tmp_path)):
        assert len(part.cutouts) == 4  # the products of masked photos are cutouts too
        assert len(part.photos) == 2
        assert len(part.grounds) == 2


def test_a_product_is_cut_to_its_matte_and_keeps_its_colours(source: Source) -> None:
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    (cutout,) = packed(source)[0].cutouts
    rows, cols = np.nonzero(MATTE > 8)
    box = slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1)
    assert np.array_equal(cutout.matte, MATTE[box])
    inside = disc(48, 12)[box] == 255
    assert np.abs(cutout.image[inside].astype(int) - CYAN).mean() < 4  # JPEG
    assert cutout.name == TRAINED_ON[0].replace("/", "-").removesuffix(".jpg")
    assert not cutout.touches
    assert not cutout.is_vote


def test_a_masked_photo_is_kept_whole_too(source: Source) -> None:
    name = names("photos_masked", 1, held_out=False)[0]
    source.add(name, product_on(even(48, 48, GREY), ORANGE, MATTE), MATTE)
    train, _ = packed(source)
    assert np.array_equal(train.photos[0].matte, MATTE)
    assert train.cutouts[0].matte.shape < MATTE.shape


def test_large_pictures_are_made_smaller_whatever_their_shape(source: Source) -> None:
    name = names("photos_masked", 1, held_out=False)[0]
    source.add(name, even(1000, 500, GREY), np.full((1000, 500), 255, np.uint8))
    source.add(names("backgrounds", 1, held_out=False)[0], even(2, 2000, GREY))
    train, _ = packed(source)
    assert train.photos[0].image.shape == (560, 280, 3)
    assert train.photos[0].matte.shape == (560, 280)
    assert train.grounds[0].shape == (1, 560, 3)


def test_a_note_tells_which_sides_of_the_frame_cut_the_product(source: Source) -> None:
    name = names("foregrounds_white_truncated", 1, held_out=False)[0]
    source.add(name, CUTOUT, MATTE, note="levels_normalised;touches_TB;seen")
    (cutout,) = packed(source)[0].cutouts
    assert cutout.touches == "TB"
    assert "@" not in cutout.name


def test_only_listed_pictures_of_the_asked_grades_with_a_product_in_them(source: Source) -> None:
    good, worse, empty, unlisted = TRAINED_ON
    source.add(good, CUTOUT, MATTE, grade="A")
    source.add(worse, CUTOUT, MATTE, grade="B")
    source.add(empty, CUTOUT, np.zeros_like(MATTE))
    Source(source.folder / "other").add(unlisted, CUTOUT, MATTE)
    (source.folder / "other" / unlisted).rename(source.folder / unlisted)
    assert len(packed(source, grades="AB")[0].cutouts) == 2
    assert len(packed(source, grades="A")[0].cutouts) == 1


@pytest.mark.parametrize(
    ("agreement", "radius", "kept"),
    [(0.9, 16, True), (0.8, 16, False), (0.9, 2, False), (0.9, 40, False)],
    ids=["good", "teacher disagrees with itself", "hardly a product", "nothing but product"],
)
def test_a_vote_is_taken_when_it_can_be_trusted(source: Source, agreement: float, radius: int, kept: bool) -> None:
    name = names("unlabelled", 1, held_out=False)[0]
    source.add(name, product_on(even(48, 48, GREY), ORANGE, disc(48, radius)))
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    vote(source, "teacher", name, disc(48, radius), agreement)
    photos = packed(source)[0].photos
    assert [photo.is_vote for photo in photos] == ([True] if kept else [])
    assert all(photo.name == name.replace("/", "-").removesuffix(".jpg") for photo in photos)


def test_a_photo_that_two_models_see_differently_is_left_out(source: Source) -> None:
    one, other = names("unlabelled", 2, held_out=False)
    for name in (one, other):
        source.add(name, product_on(even(48, 48, GREY), ORANGE, MATTE))
        vote(source, "teacher", name, MATTE)
    vote(source, "own", one, MATTE)
    vote(source, "own", other, disc(48, 10))
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    (photo,) = packed(source)[0].photos
    assert photo.name == one.replace("/", "-").removesuffix(".jpg")


def test_a_shadow_in_a_mask_that_a_vote_does_not_see_is_left_open(source: Source) -> None:
    name = names("photos_masked", 1, held_out=False)[0]
    with_shadow = MATTE.copy()
    with_shadow[30:40, 30:46] = 255
    source.add(name, product_on(even(48, 48, GREY), ORANGE, MATTE), with_shadow)
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    vote(source, "teacher", name, MATTE)
    train, _ = packed(source)
    (photo,) = train.photos
    assert photo.is_vote
    assert photo.matte[36, 42] == 128
    assert photo.matte[24, 24] == 255
    assert len(train.cutouts) == 1  # the white one: what belongs to the other is open


def test_a_held_out_mask_is_the_truth_whatever_the_votes(source: Source) -> None:
    name = names("photos_masked", 1, held_out=True)[0]
    source.add(name, product_on(even(48, 48, GREY), ORANGE, MATTE), MATTE)
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    vote(source, "teacher", name, disc(48, 10))
    (photo,) = packed(source)[1].photos
    assert not photo.is_vote
    assert np.array_equal(photo.matte, MATTE)


def test_a_photo_without_a_vote_is_left_out(source: Source) -> None:
    source.add(names("unlabelled", 1, held_out=False)[0], even(48, 48, GREY))
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    assert not packed(source)[0].photos


def test_staged_renders_are_photos_with_their_exact_matte_and_never_held_out(source: Source) -> None:
    for number in range(20):
        source.add(f"staged/staged-{number:05}-sweep.jpg", product_on(even(48, 48, GREY), ORANGE, MATTE), MATTE)
    train, _ = packed(source)
    assert {photo.name for photo in train.photos} == {f"staged-sweep_{number:05}" for number in range(20)}
    assert all(np.array_equal(photo.matte, MATTE) and not photo.is_vote for photo in train.photos)
    assert not train.cutouts


def test_renders_are_cutouts_of_their_kind_and_never_held_out(source: Source) -> None:
    for number in range(20):
        source.add(f"renders/render-{number:04}-glass-bottle.jpg", CUTOUT, MATTE)
    train, held_out = packed(source)
    assert {cutout.name for cutout in train.cutouts} == {f"renders-glass-bottle_{number:04}" for number in range(20)}
    assert train.cutouts[0].matte.shape < MATTE.shape
    assert not held_out.cutouts


def test_a_full_piece_is_followed_by_another(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 4_000
    monkeypatch.setattr(pack_module, "_PIECE_BYTES", limit)
    for name in TRAINED_ON:
        source.add(name, CUTOUT, MATTE)
    train, _ = packed(source)
    pieces = sorted((source.folder / "pack").glob("*.zip"))
    assert len(pieces) > 1
    for piece in pieces:
        with zipfile.ZipFile(piece) as archive:
            assert sum(member.file_size for member in archive.infolist()) <= limit
    assert len(train.cutouts) == len(TRAINED_ON)


def test_writing_again_leaves_no_old_pieces(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.add(TRAINED_ON[0], CUTOUT, MATTE)
    source.add(TRAINED_ON[1], CUTOUT, MATTE, grade="B")
    monkeypatch.setattr(pack_module, "_PIECE_BYTES", 1)
    assert len(packed(source)[0].cutouts) == 2
    assert len(packed(source, grades="A")[0].cutouts) == 1


def test_missing_pieces_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no piece-\*\.zip in .*; write them with `make train-pack`"):
        read_pack(tmp_path)
