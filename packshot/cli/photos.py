"""Which photos are meant: files, folders and patterns on the command line become a list of files."""

import glob
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from packshot.cli.failures import CommandError

PHOTO_SUFFIXES: Final = frozenset(
    f".{suffix}"
    for suffix in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "tif", "tiff"),
        *("heic", "heif", "hif", "avif", "gif", "bmp"),
    )
)
"""What is taken from folders and patterns; a file named outright is taken whatever its name is."""


def collect_photos(arguments: Sequence[str], *, recursive: bool = False, outputs: Collection[Path] = ()) -> list[Path]:
    """Files in the order of the arguments; inside a folder or pattern by name. Each file once.

    Args:
        arguments: Files, folders, and patterns such as "photos/*.jpg" or "photos/**/*.png".
        recursive: Look into the folders of folders.
        outputs: Folders to leave out of searches: yesterday's packshots are no photos.

    Raises:
        CommandError: Something is not there, or holds no photos. Names every such argument.
    """
    left_out = {folder.resolve() for folder in outputs}
    found: dict[Path, Path] = {}
    problems = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            files = list(_photos_in(path, recursive, left_out))
            problem = f"{argument}: no photos in this folder" + _hint_at_recursion(path, recursive)
        elif path.exists():
            files, problem = [path], ""
        elif glob.has_magic(argument):
            files = _matching(argument, left_out)
            problem = f"{argument}: no photo matches this pattern"
        else:
            files, problem = [], f"{argument}: no such file or folder"
        if not files:
            problems.append(problem)
        for file in files:
            found.setdefault(file.resolve(), file)
    if problems:
        cure = f"In folders and patterns these count as photos: {' '.join(sorted(PHOTO_SUFFIXES))}"
        raise CommandError(*problems, cure=cure if any("no photo" in problem for problem in problems) else "")
    return list(found.values())


def _photos_in(folder: Path, recursive: bool, left_out: Collection[Path]) -> Iterator[Path]:
    entries = sorted(folder.iterdir(), key=_by_name)
    yield from (entry for entry in entries if entry.is_file() and _looks_like_photo(entry))
    if recursive:
        for entry in entries:
            # Links to folders are not followed: they may lead in circles.
            inside = entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
            if inside and entry.resolve() not in left_out:
                yield from _photos_in(entry, recursive, left_out)


def _matching(pattern: str, left_out: Collection[Path]) -> list[Path]:
    # Path.glob would need the pattern split into folder and rest.
    paths = (Path(match) for match in glob.iglob(pattern, recursive=True))  # noqa: PTH207
    photos = sorted((path for path in paths if path.is_file() and _looks_like_photo(path)), key=_by_name)
    named = _folder_of(pattern)
    # A pattern may ask for such a folder itself.
    left_out = {folder for folder in left_out if folder not in (named, *named.parents)}
    return [photo for photo in photos if left_out.isdisjoint(photo.resolve().parents)]


def _folder_of(pattern: str) -> Path:
    """The part of a pattern that stands for one folder."""
    folder = Path(pattern)
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return folder.resolve()


def _looks_like_photo(path: Path) -> bool:
    # A leading dot marks what systems put beside photos, e.g. "._mug.jpg" on memory cards.
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def _by_name(path: Path) -> tuple[str, str]:
    return str(path).casefold(), str(path)


def _hint_at_recursion(folder: Path, recursive: bool) -> str:
    has_folders = not recursive and any(entry.is_dir() for entry in folder.iterdir())
    return " (its own folders are searched with --recursive)" if has_folders else ""
