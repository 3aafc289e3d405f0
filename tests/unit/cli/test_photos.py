from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packshot.cli.failures import CommandError
from packshot.cli.photos import PHOTO_SUFFIXES, collect_photos


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "shop/Mug.JPG",
        "shop/box.heic",
        "shop/notes.txt",
        "shop/._mug.jpg",
        "shop/more/ring.png",
        "shop/.hidden/secret.jpg",
        "shop[1].jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.as_posix() for path in paths]


def test_a_folder_gives_its_photos_by_name(folder: Path) -> None:
    assert names(collect_photos(["shop"])) == ["shop/box.heic", "shop/Mug.JPG"]


def test_recursive_goes_into_folders_but_hidden_ones(folder: Path) -> None:
    found = collect_photos(["shop"], recursive=True)
    assert names(found) == ["shop/box.heic", "shop/Mug.JPG", "shop/more/ring.png"]


def test_links_in_circles_end(folder: Path) -> None:
    (folder / "shop/more/round").symlink_to(folder / "shop")
    assert len(collect_photos(["shop"], recursive=True)) == 3


def test_a_file_named_outright_is_taken_whatever_its_name(folder: Path) -> None:
    assert names(collect_photos(["shop/notes.txt"])) == ["shop/notes.txt"]


@pytest.mark.parametrize("pattern", ["shop/*", "shop/[bM]*.*"])
def test_patterns(folder: Path, pattern: str) -> None:
    assert names(collect_photos([pattern])) == ["shop/box.heic", "shop/Mug.JPG"]


def test_a_pattern_with_two_stars_goes_into_folders(folder: Path) -> None:
    assert names(collect_photos(["**/*.png"])) == ["shop/more/ring.png"]


def test_a_name_that_looks_like_a_pattern_is_a_name_first(folder: Path) -> None:
    assert names(collect_photos(["shop[1].jpg"])) == ["shop[1].jpg"]


def test_arguments_keep_their_order_and_nothing_comes_twice(folder: Path) -> None:
    (folder / "again.jpg").symlink_to(folder / "shop/Mug.JPG")
    found = collect_photos(["shop/more/ring.png", "shop/Mug.JPG", "shop", "./shop/../shop/box.heic", "again.jpg"])
    assert names(found) == ["shop/more/ring.png", "shop/Mug.JPG", "shop/box.heic"]


def test_results_of_an_earlier_run_are_no_photos(folder: Path) -> None:
    out = folder / "shop/out"
    out.mkdir()
    (out / "mug.jpg").touch()
    assert "shop/out/mug.jpg" not in names(collect_photos(["shop"], recursive=True, outputs=[Path("shop/out")]))
    assert "shop/out/mug.jpg" not in names(collect_photos(["shop/**/*"], outputs=[Path("shop/out")]))
    assert names(collect_photos(["shop/out/mug.jpg"], outputs=[Path("shop/out")])) == ["shop/out/mug.jpg"]
    assert names(collect_photos(["shop/out/*"], outputs=[Path("shop/out")])) == ["shop/out/mug.jpg"]
    assert "shop/box.heic" in names(collect_photos(["shop/*"], outputs=[Path("shop")]))


def test_everything_that_is_not_there_is_said_at_once(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(CommandError) as caught:
        collect_photos(["missing.jpg", "empty", "*.gif", "shop"])
    assert caught.value.problems == (
        "missing.jpg: no such file or folder",
        "empty: no photos in this folder",
        "*.gif: no photo matches this pattern",
    )
    assert ".heic" in caught.value.cure


def test_a_folder_of_folders_hints_at_recursion(folder: Path) -> None:
    (folder / "shop[1].jpg").unlink()
    with pytest.raises(CommandError, match="searched with --recursive"):
        collect_photos(["."])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    files=st.sets(
        st.tuples(
            st.sampled_from(["a", "b", "a/c"]),
            st.text("xyzXÄ", min_size=1, max_size=3),
            st.sampled_from([*sorted(PHOTO_SUFFIXES)[:4], ".txt"]),
        ),
        min_size=1,
        max_size=8,
    ),
    data=st.data(),
)
def test_every_photo_once_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, files: set[tuple[str, str, str]], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("photos")
    for folder, stem, suffix in files:
        path = root / folder / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    wanted = {path.resolve() for path in root.rglob("*") if path.suffix in PHOTO_SUFFIXES}
    arguments = data.draw(st.permutations([str(root), *map(str, sorted(wanted))]))
    if not wanted:
        with pytest.raises(CommandError):
            collect_photos(arguments, recursive=True)
        return
    found = collect_photos(arguments, recursive=True)
    assert len(found) == len(wanted)
    assert {path.resolve() for path in found} == wanted
