"""`packshot cutout`: the product with transparency, as large as the photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer

from packshot.cli import options
from packshot.cli.concurrency import call_each
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stderr, stdout, with_progress
from packshot.cli.failures import EXIT_FAILURE, error_to_dict, print_failures
from packshot.cli.outputs import make_folder, plan_files, refuse_overwriting, write_atomically
from packshot.cli.parsing import parse_region
from packshot.cli.photos import collect_photos
from packshot.cli.tables import cutout_table
from packshot.client import PackshotError, Region
from packshot.report import message_to_dict
from packshot.v1.packshot_pb2 import CutOutImageResponse

_SUFFIX = ".png"


@dataclass(frozen=True, slots=True)
class CutOut:
    """What became of one photo."""

    file: Path
    outcome: CutOutImageResponse | PackshotError

    @property
    def error(self) -> PackshotError | None:
        return self.outcome if isinstance(self.outcome, PackshotError) else None


def cutout(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Files, folders, or patterns like 'photos/*.jpg'.")
    ],
    output_dir: options.Folder,
    keep_background: Annotated[
        bool,
        typer.Option(
            "--keep-background",
            help="Keep the photo's colours in transparent pixels, so that an editor can repaint the edge.",
        ),
    ] = False,
    roi: Annotated[
        Region | None,
        typer.Option(
            "--roi",
            parser=parse_region,
            metavar="X,Y,W,H",
            help="Where the product is, in pixels of the upright photo; the rest counts as background.",
        ),
    ] = None,
    recursive: options.Recursive = False,
    force: options.Force = False,
    as_json: options.Json = False,
    server: options.Server = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 120.0,
    jobs: options.Jobs = 4,
    model: options.Model = None,
    models_dir: options.ModelsDir = None,
) -> None:
    """Cut products out: DIR/NAME.png with transparency, the same size as the photo, the product where it was.

    \b
    [bold]Examples[/]
      packshot cutout mug.jpg -o out
      packshot cutout photos/ --recursive -o out
      packshot cutout ring.jpg -o out --roi 400,300,1200,1200
      packshot cutout mug.jpg -o out --keep-background   to repaint in an editor

    \b
    [bold]Exit code[/]
      0  every product is cut out
      2  a photo failed, or the command was not understood
    """
    files = collect_photos(photos, recursive=recursive, outputs=[output_dir])
    targets = [plan[0][_SUFFIX] for plan in plan_files(files, output_dir, (), [_SUFFIX])]
    refuse_overwriting(targets, files, force=force)
    make_folder(output_dir)
    connection = Connection(
        server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout, tuple(model or ()), models_dir
    )
    done: dict[Path, CutOut] = {}
    with connection.open() as client:

        def cut_out(photo: Path) -> CutOutImageResponse:
            return client.cut_out(photo, region_of_interest=roi, keep_background=keep_background)

        for i, outcome in with_progress(call_each(cut_out, files, jobs), len(files), "Cutting out"):
            done[files[i]] = _write(targets[i], outcome)
    in_order = [(str(file), done[file]) for file in files]
    if as_json:
        print_json(_document(in_order))
    else:
        _print(in_order, output_dir)
    print_failures(((name, photo.error) for name, photo in in_order), stderr())
    raise typer.Exit(EXIT_FAILURE if any(photo.error for photo in done.values()) else 0)


def _write(file: Path, outcome: CutOutImageResponse | PackshotError) -> CutOut:
    if isinstance(outcome, PackshotError):
        return CutOut(file, outcome)
    try:
        write_atomically(file, outcome.png)
    except OSError as error:
        reason = f"cannot write {file}: {(error.strerror or str(error)).lower()}"
        return CutOut(file, PackshotError(grpc.StatusCode.UNKNOWN, "RESULT_NOT_WRITTEN", reason))
    return CutOut(file, outcome)


def _print(photos: Sequence[tuple[str, CutOut]], folder: Path) -> None:
    console = stdout()
    written = sum(photo.error is None for _, photo in photos)
    if written:
        console.print(cutout_table((name, photo.outcome) for name, photo in photos))
    failed = len(photos) - written
    end = f", {failed} failed" if failed else ""
    console.print(f"{plural(len(photos), 'photo')}: {plural(written, 'cutout')} written to {folder}{end}")


def _document(photos: Sequence[tuple[str, CutOut]]) -> dict[str, Any]:
    entries = []
    for name, photo in photos:
        found: dict[str, Any] = {"segmentation": None, "confidence": None, "warnings": [], "findings": []}
        if isinstance(photo.outcome, CutOutImageResponse):
            found = {
                "segmentation": message_to_dict(photo.outcome.segmentation),
                "confidence": message_to_dict(photo.outcome.confidence),
                "warnings": [message_to_dict(warning) for warning in photo.outcome.warnings],
                "findings": [message_to_dict(finding) for finding in photo.outcome.findings],
            }
        files = [] if photo.error else [str(photo.file)]
        entries.append({"photo": name, "files": files, **found, "error": error_to_dict(photo.error)})
    failed = sum(photo.error is not None for _, photo in photos)
    return {"photos": entries, "summary": {"cut_out": len(photos) - failed, "failed": failed}}
