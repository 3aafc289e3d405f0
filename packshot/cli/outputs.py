"""Which files a run writes, decided and checked before any work begins."""

import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from packshot.cli.failures import CommandError
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, OUTPUT_REPORT_JSON, OUTPUT_TRANSPARENT_PNG

SUFFIXES: Final = {OUTPUT_JPEG: ".jpg", OUTPUT_TRANSPARENT_PNG: ".png", OUTPUT_REPORT_JSON: ".report.json"}
"""Of the file of each Output."""


def unique_stems(photos: Sequence[Path]) -> list[str]:
    """The photos' names without suffix, made unique: "mug", and "mug-2" for a mug.png from another folder.

    A name only one photo has is never changed. Names that differ only in case count as the same, because on many
    disks they are.
    """
    taken = {comparable(photo.stem) for photo in photos}
    given: set[str] = set()
    stems = []
    for photo in photos:
        stem, number = photo.stem, 2
        if comparable(stem) in given:
            while comparable(stem) in taken:
                stem, number = f"{photo.stem}-{number}", number + 1
        taken.add(comparable(stem))
        given.add(comparable(stem))
        stems.append(stem)
    return stems


def plan_files(
    photos: Sequence[Path], folder: Path, marketplaces: Sequence[str], suffixes: Sequence[str]
) -> list[list[dict[str, Path]]]:
    """Where each photo's files go: per photo, per marketplace, by suffix.

    `<stem><suffix>`; with several marketplaces `<stem>.<marketplace><suffix>`.
    """
    infixes = [f".{marketplace}" for marketplace in marketplaces] if len(marketplaces) > 1 else [""]
    return [
        [{suffix: folder / f"{stem}{infix}{suffix}" for suffix in suffixes} for infix in infixes]
        for stem in unique_stems(photos)
    ]


def refuse_overwriting(files: Iterable[Path], photos: Sequence[Path], *, force: bool) -> None:
    """Raises CommandError naming every file that would be lost: existing ones, unless forced; photos always.

    So would be the first of two results with one name, as of mug.jpg and mug.matte.jpg in one folder with --debug.
    """
    files = list(files)
    meant = Counter(comparable(str(file.resolve())) for file in files)
    twice = dict.fromkeys(file for file in files if meant[comparable(str(file.resolve()))] > 1)
    if twice:
        problems = [f"two results would be named {file}" for file in twice]
        raise CommandError(*problems, cure="Choose different folders with -o and --debug.")
    originals = {photo.resolve() for photo in photos}
    existing = [file for file in files if os.path.lexists(file)]
    photos_hit = [file for file in existing if file.resolve() in originals]
    if photos_hit:
        problems = [f"{file} is one of the photos and would be overwritten" for file in photos_hit]
        raise CommandError(*problems, cure="Choose another folder with -o; photos are never overwritten.")
    if existing and not force:
        problems = [f"{file} exists already" for file in existing]
        raise CommandError(*problems, cure="Choose another folder with -o, or overwrite with --force.")


def make_folder(folder: Path, option: str = "-o") -> None:
    """Raises CommandError when a folder for results, named by that option, cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file of that name is in the way" if isinstance(error, FileExistsError) else error.strerror
        problem = f"cannot make the folder {folder}: {reason}"
        raise CommandError(problem, cure=f"Choose another one with {option}.") from error
    if not os.access(folder, os.W_OK):
        raise CommandError(f"the folder {folder} may not be written to", cure=f"Choose another one with {option}.")


def write_atomically(file: Path, data: bytes) -> None:
    """The file is there as a whole or not at all, whatever interrupts us.

    Raises:
        OSError: The disk is full, the folder is gone.
    """
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:32]}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files for the owner alone
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def comparable(name: str) -> str:
    """Equal for names that are one file on disks that do not tell case apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
