"""`packshot fix`: photos in, marketplace-ready main images out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer

from packshot.cli import options, packshot_options
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import plural, print_json, stderr, stdout, with_progress
from packshot.cli.failures import EXIT_FAILURE, error_to_dict, print_failures
from packshot.cli.outputs import SUFFIXES, make_folder, plan_files, refuse_overwriting, write_atomically
from packshot.cli.packshot_options import Output, process_arguments
from packshot.cli.photos import collect_photos
from packshot.cli.tables import fix_table, unchecked_note
from packshot.client import PackshotClient, PackshotError, ProcessArguments
from packshot.report import enum_word, report_to_dict
from packshot.v1.packshot_pb2 import (
    OUTPUT_JPEG,
    OUTPUT_REPORT_JSON,
    OUTPUT_TRANSPARENT_PNG,
    MarketplaceResult,
    ProcessImageResponse,
)
from packshot.v1.report_pb2 import Verdict

_DEBUG_PICTURES: Final = ("matte", "trimap", "foreground", "halo", "worst-edge")
_DEBUG_SUFFIXES: Final = {name: f".{name}.png" for name in _DEBUG_PICTURES}
_SUFFIXES: Final = {
    Output.JPEG: SUFFIXES[OUTPUT_JPEG],
    Output.PNG: SUFFIXES[OUTPUT_TRANSPARENT_PNG],
    Output.REPORT: SUFFIXES[OUTPUT_REPORT_JSON],
}
_WORST_FIRST: Final = ("reject", "review", "publish")


@dataclass(frozen=True, slots=True)
class Fixed:
    """What became of one photo: results with the files and debug pictures written for each, or the error."""

    results: Sequence[tuple[MarketplaceResult, Sequence[Path], Sequence[Path]]] = ()
    error: PackshotError | None = None

    @property
    def verdict(self) -> str:
        """The worst of its marketplaces; "failed" without a result."""
        words = {enum_word(Verdict.DESCRIPTOR, result.report.verdict) for result, *_ in self.results}
        return next((word for word in _WORST_FIRST if word in words), "failed")


def fix(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Files, folders, or patterns like 'photos/*.jpg'.")
    ],
    output_dir: options.Folder,
    marketplace: options.Marketplaces = None,
    category: options.Category = "",
    output: packshot_options.Outputs = None,
    recursive: options.Recursive = False,
    force: options.Force = False,
    as_json: options.Json = False,
    as_of: options.AsOf = None,
    debug: Annotated[
        Path | None,
        typer.Option(
            "--debug",
            metavar="DIR",
            help="Also write pictures that show how each edge was made and how good it is, five for every packshot,"
            " into this folder (see above).",
        ),
    ] = None,
    fill: packshot_options.Fill = None,
    margin: packshot_options.Margin = None,
    size: packshot_options.CanvasSize = None,
    quality: packshot_options.Quality = None,
    shadow: packshot_options.ShadowKind = None,
    arrange: packshot_options.Arrange = False,
    roi: packshot_options.Roi = None,
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
    """Turn product photos into main images: cut out, on pure white, checked against the marketplace's rules.

    \b
    Each photo becomes DIR/NAME.jpg; with --output png also DIR/NAME.png, with
    --output report also DIR/NAME.report.json. With several marketplaces the name
    carries the marketplace: DIR/NAME.amazon-us.jpg. Two photos of the same name
    become NAME and NAME-2.

    \b
    With --debug DIR also five pictures to look at when an edge is not as it
    should be, none longer than about 2048 pixels:
      NAME.matte.png       how much of a pixel is product: white all, black none
      NAME.trimap.png      where that was worked out again (grey), where not
      NAME.foreground.png  the product's own colours on a checkerboard, where a
                           rim left of the old background shows
      NAME.halo.png        how far the edge's colour is off, as heat
      NAME.worst-edge.png  the worst stretch of edge at 100 %, photo and packshot

    \b
    [bold]Examples[/]
      packshot fix mug.jpg -o out
      packshot fix photos/ 'more/*.heic' -o out -m amazon-us -c home-kitchen
      packshot fix mug.jpg -o out -m amazon-us -m amazon-de
      packshot fix mug.jpg -o out --output jpeg --output report
      packshot fix mug.jpg -o out --fill 0.9 --size 1600x1600 --force
      packshot fix cutlery.jpg -o out --arrange
      packshot fix mug.jpg -o out --debug out/why
      packshot fix photos/ -o out --server localhost:50051 --json > result.json

    \b
    [bold]Exit code[/]
      0  every packshot can be published
      1  a packshot needs a look, or is rejected
      2  a photo failed, or the command was not understood
    """
    marketplaces = list(dict.fromkeys(marketplace or ()))
    outputs = list(dict.fromkeys(output or (Output.JPEG,)))
    arguments = process_arguments(
        marketplaces=marketplaces,
        category=category,
        outputs=outputs,
        roi=roi,
        fill=fill,
        margin=margin,
        size=size,
        quality=quality,
        shadow=shadow,
        arrange=arrange,
        as_of=as_of,
        debug=debug is not None,
    )
    folders = [output_dir] if debug is None else [output_dir, debug]
    files = collect_photos(photos, recursive=recursive, outputs=folders)
    plans = plan_files(files, output_dir, marketplaces, [_SUFFIXES[kind] for kind in outputs])
    debug_suffixes = () if debug is None else tuple(_DEBUG_SUFFIXES.values())
    debug_plans = plan_files(files, debug or output_dir, marketplaces, debug_suffixes)
    planned = [path for plan in (*plans, *debug_plans) for by_suffix in plan for path in by_suffix.values()]
    refuse_overwriting(planned, files, force=force)
    make_folder(output_dir)
    if debug is not None:
        make_folder(debug, "--debug")
    connection = Connection(
        server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout, tuple(model or ()), models_dir
    )
    fixed: dict[Path, Fixed] = {}
    with connection.open() as client:
        answers = _process(client, files, jobs, arguments)
        for i, answer in with_progress(answers, len(files), "Fixing"):
            fixed[files[i]] = _write(answer, plans[i], debug_plans[i])
    in_order = [(str(file), fixed[file]) for file in files]
    if as_json:
        print_json(_document(in_order))
    else:
        _print(in_order, output_dir, debug)
    print_failures(((name, photo.error) for name, photo in in_order), stderr())
    verdicts = {photo.verdict for photo in fixed.values()}
    raise typer.Exit(EXIT_FAILURE if "failed" in verdicts else int(verdicts != {"publish"}))


def _process(
    client: PackshotClient, photos: Sequence[Path], jobs: int, arguments: ProcessArguments
) -> Iterator[tuple[int, ProcessImageResponse | PackshotError]]:
    """(index of the photo, answer) as they finish. When the stream is lost, so are all open photos."""
    unanswered = set(range(len(photos)))
    items = ((str(i), photo) for i, photo in enumerate(photos))
    try:
        for item_id, answer in client.process_many(items, concurrency=jobs, **arguments):
            unanswered.discard(int(item_id))
            yield int(item_id), answer
    except PackshotError as error:
        for i in sorted(unanswered):
            yield i, error


def _write(
    answer: ProcessImageResponse | PackshotError,
    plan: Sequence[dict[str, Path]],
    debug_plan: Sequence[dict[str, Path]],
) -> Fixed:
    if isinstance(answer, PackshotError):
        return Fixed(error=answer)
    results = []
    try:
        for result, by_suffix, debug_by_suffix in zip(answer.results, plan, debug_plan, strict=True):
            written = [by_suffix[SUFFIXES[image.output]] for image in result.images]
            for path, image in zip(written, result.images, strict=True):
                write_atomically(path, image.content)
            explained = [debug_by_suffix[_DEBUG_SUFFIXES[picture.name]] for picture in result.debug_images]
            for path, picture in zip(explained, result.debug_images, strict=True):
                write_atomically(path, picture.png)
            results.append((result, written, explained))
    except OSError as error:
        reason = f"cannot write {error.filename or 'the result'}: {(error.strerror or str(error)).lower()}"
        return Fixed(error=PackshotError(grpc.StatusCode.UNKNOWN, "RESULT_NOT_WRITTEN", reason))
    return Fixed(results)


def _print(photos: Sequence[tuple[str, Fixed]], folder: Path, debug: Path | None) -> None:
    console = stdout()
    if any(photo.results for _, photo in photos):
        console.print(
            fix_table((name, photo.error or [result.report for result, *_ in photo.results]) for name, photo in photos)
        )
        note = unchecked_note(result.report for _, photo in photos for result, *_ in photo.results)
        if note is not None:
            console.print(note)
    counts = Counter(photo.verdict for _, photo in photos)
    words = [f"{counts[word]} {word}" for word in ("publish", "review", "reject", "failed") if counts[word]]
    written = sum(len(paths) for _, photo in photos for _, paths, _ in photo.results)
    done = f"{plural(len(photos), 'photo')}: {', '.join(words)}; {plural(written, 'file')} written to {folder}"
    if debug is not None:
        explained = sum(len(paths) for _, photo in photos for _, _, paths in photo.results)
        done += f", {plural(explained, 'debug picture')} to {debug}"
    console.print(done)


def _document(photos: Sequence[tuple[str, Fixed]]) -> dict[str, Any]:
    counts = Counter(photo.verdict for _, photo in photos)
    return {
        "photos": [
            {
                "photo": name,
                "verdict": photo.verdict,
                "results": [
                    {
                        "marketplace": result.marketplace,
                        "files": [str(path) for path in paths],
                        "debug_files": [str(path) for path in debug_paths],
                        "report": report_to_dict(result.report),
                    }
                    for result, paths, debug_paths in photo.results
                ],
                "error": error_to_dict(photo.error),
            }
            for name, photo in photos
        ],
        "summary": {word: counts[word] for word in ("publish", "review", "reject", "failed")},
    }
