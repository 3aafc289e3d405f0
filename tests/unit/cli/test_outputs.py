import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packshot.cli.failures import CommandError
from packshot.cli.outputs import make_folder, plan_files, refuse_overwriting, unique_stems, write_atomically

SUFFIXES = [".jpg", ".png", ".report.json"]
PATHS = st.builds(
    lambda folder, stem, suffix: Path(folder) / f"{stem}{suffix}",
    st.sampled_from(["a", "b", "c/d"]),
    st.one_of(
        st.sampled_from(["mug", "Mug", "mug-2", "mug-3", "mug.amazon-us", "mug.report", "Ä", "A\u0308", "ß", "SS"]),
        st.text("mug-2.", min_size=1, max_size=6).filter(lambda s: s.strip(".")),
    ),
    st.sampled_from([".jpg", ".png", ".jpeg", ""]),
)
MARKETPLACES = st.lists(st.sampled_from(["amazon-us", "amazon-de", "us", "report", "jpg"]), unique=True, max_size=4)


def on_a_mac(path: Path) -> str:
    """Two names that are one on disks that ignore case and the way letters are composed."""
    import unicodedata

    return unicodedata.normalize("NFC", str(path)).casefold()


@given(st.lists(PATHS, unique=True, max_size=8), MARKETPLACES, st.lists(st.sampled_from(SUFFIXES), unique=True))
def test_no_two_results_share_a_file(photos: list[Path], marketplaces: list[str], suffixes: list[str]) -> None:
    plans = plan_files(photos, Path("out"), marketplaces, suffixes)
    files = [path for plan in plans for by_suffix in plan for path in by_suffix.values()]
    assert len(files) == len(photos) * max(1, len(marketplaces)) * len(suffixes)
    assert len({on_a_mac(path) for path in files}) == len(files)
    assert all(path.parent == Path("out") for path in files)


@given(st.lists(PATHS, unique=True, max_size=8))
def test_a_name_only_one_photo_has_is_kept(photos: list[Path]) -> None:
    keys = [on_a_mac(Path(photo.stem)) for photo in photos]
    for photo, key, stem in zip(photos, keys, unique_stems(photos), strict=True):
        if keys.count(key) == 1:
            assert stem == photo.stem


def test_names() -> None:
    photos = [Path("a/mug.jpg"), Path("b/mug.png"), Path("mug-2.jpg"), Path("c/Mug.gif")]
    assert unique_stems(photos) == ["mug", "mug-3", "mug-2", "Mug-4"]


def test_one_marketplace_is_not_in_the_name_several_are() -> None:
    (one,) = plan_files([Path("mug.heic")], Path("out"), ["amazon-us"], [".jpg"])
    (two,) = plan_files([Path("mug.heic")], Path("out"), ["amazon-us", "amazon-de"], [".jpg"])
    assert one == [{".jpg": Path("out/mug.jpg")}]
    assert two == [{".jpg": Path("out/mug.amazon-us.jpg")}, {".jpg": Path("out/mug.amazon-de.jpg")}]


class TestRefuseOverwriting:
    def test_names_every_file_at_once(self, tmp_path: Path) -> None:
        files = [tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "new.jpg"]
        for file in files[:2]:
            file.touch()
        with pytest.raises(CommandError) as caught:
            refuse_overwriting(files, [], force=False)
        assert caught.value.problems == tuple(f"{file} exists already" for file in files[:2])
        assert "--force" in caught.value.cure

    def test_force_allows_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").touch()
        refuse_overwriting([tmp_path / "a.jpg"], [], force=True)

    def test_a_photo_is_never_overwritten(self, tmp_path: Path) -> None:
        photo = tmp_path / "mug.jpg"
        photo.touch()
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(CommandError, match="is one of the photos"):
            refuse_overwriting([tmp_path / "link" / "mug.jpg"], [photo], force=True)

    def test_a_link_to_nowhere_is_a_file_too(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").symlink_to("nowhere")
        with pytest.raises(CommandError, match="exists already"):
            refuse_overwriting([tmp_path / "a.jpg"], [], force=False)


class TestWriteAtomically:
    def test_writes_with_the_rights_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").write_bytes(b"")
        write_atomically(tmp_path / "mug.jpg", b"mug")
        assert (tmp_path / "mug.jpg").read_bytes() == b"mug"
        assert _mode(tmp_path / "mug.jpg") == _mode(tmp_path / "plain")

    def test_a_failure_leaves_the_old_file_and_no_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "mug.jpg"
        file.write_bytes(b"old")

        def full(self: Path, target: Path) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            write_atomically(file, b"new")
        assert file.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["mug.jpg"]  # noqa: PTH208

    def test_a_name_as_long_as_the_disk_allows(self, tmp_path: Path) -> None:
        file = tmp_path / ("m" * 251 + ".jpg")
        write_atomically(file, b"mug")
        assert file.exists()


def test_make_folder_makes_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a/b")
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()


def test_make_folder_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(CommandError, match="a file of that name is in the way"):
        make_folder(tmp_path / "out")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
