"""What `packshot bulk` makes a job of: a catalogue, the URL of one, or photos of this machine."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packshot.cli.failures import CommandError
from packshot.cli.outputs import unique_stems
from packshot.cli.photos import collect_photos
from packshot.client import JobPhoto

_CATALOGUE_SUFFIXES: Final = (".csv", ".tsv", ".txt")
_MAX_CATALOGUE_BYTES: Final = 32 * 2**20
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NOT_IN_KEYS: Final = re.compile(r"[^A-Za-z0-9._:/ -]")


@dataclass(frozen=True, slots=True)
class Source:
    """One of `catalogue`, `catalogue_url` and `photos`, and the SHA-256 of it all."""

    digest: str
    catalogue: bytes | None = None
    catalogue_url: str | None = None
    photos: Sequence[JobPhoto] | None = None


def find_source(arguments: Sequence[str], folder: Path, *, recursive: bool) -> Source:
    """Reads the catalogue, or finds the photos.

    Args:
        arguments: A catalogue's file or URL; or files, folders and patterns of photos.
        folder: For the results; photos are not looked for in there.

    Raises:
        CommandError: Something is not there, cannot be read, or two things at once are meant.
    """
    catalogues = [a for a in arguments if _URL.match(a) or Path(a).suffix.lower() in _CATALOGUE_SUFFIXES]
    if not catalogues:
        return _photos(collect_photos(arguments, recursive=recursive, outputs=[folder]), folder)
    if len(arguments) > 1:
        raise CommandError(
            f"{catalogues[0]} is a catalogue, and not all that was named",
            cure="Make one job of it, and another of the rest, each with a folder of its own.",
        )
    if _URL.match(catalogues[0]):
        return Source(_digest(catalogues[0].encode()), catalogue_url=catalogues[0])
    return _catalogue(Path(catalogues[0]), folder)


def _catalogue(file: Path, folder: Path) -> Source:
    if file.resolve().parent == folder.resolve() and file.stem == "results":
        raise CommandError(f"{file} would be overwritten by the results", cure="Choose another folder with -o.")
    content = _read(file)
    if not content:
        raise CommandError(f"{file} is empty")
    if len(content) > _MAX_CATALOGUE_BYTES:
        raise CommandError(
            f"{file} has {len(content) / 2**20:.1f} MiB; a catalogue has at most {_MAX_CATALOGUE_BYTES >> 20}",
            cure="Split it, and make a job of each part.",
        )
    return Source(_digest(content), catalogue=content)


def _photos(files: Sequence[Path], folder: Path) -> Source:
    for file in files:
        if file.resolve().parent == folder.resolve():
            raise CommandError(
                f"{file} lies in the folder for the results, and could be overwritten",
                cure="Choose another folder with -o.",
            )
    keys = unique_stems([Path(_NOT_IN_KEYS.sub("_", file.stem)[:240] + file.suffix) for file in files])
    photos = [JobPhoto(key, file, sku=file.stem[:256]) for key, file in zip(keys, files, strict=True)]
    digests = [f"{photo.key}\0{_file_digest(file)}" for photo, file in zip(photos, files, strict=True)]
    return Source(_digest("\0".join(digests).encode()), photos=photos)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def _file_digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
