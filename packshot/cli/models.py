"""`packshot models`: what learned models there are, how to get them, and whether the files are the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from packshot.cli import options
from packshot.cli.console import print_json, stderr, stdout
from packshot.cli.failures import EXIT_INTERRUPTED, CommandError, print_problem
from packshot.cli.installed import needing_services
from packshot.cli.tables import models_table

if TYPE_CHECKING:
    from packshot.cli.local import Checkpoint, ModelSpec

EXIT_NOT_WHOLE: Final = 1

ModelsDir = Annotated[
    Path,
    typer.Option("--models-dir", metavar="DIR", envvar="SEGMENTER_MODELS_DIR", help="Where the models' files are."),
]
_MODELS_DIR: Final = Path("models")  # the segmenter's own default


def list_models(models_dir: ModelsDir = _MODELS_DIR, as_json: options.Json = False) -> None:
    """List the models there are: licence, size, and whether their files are here.

    \b
    shipped   part of Packshot, nothing to do
    present   the file is in --models-dir (`packshot models verify` reads it)
    missing   `packshot models fetch NAME` brings it
    """
    services = _services()
    rows = [_document(row, models_dir) | {"state": str(services.presence(row, models_dir))} for row in _rows([])]
    if as_json:
        print_json({"models": rows})
        return
    console = stdout()
    console.print(models_table(rows))
    console.print("`packshot models fetch NAME` brings a missing one; `packshot fix PHOTO -o out --model NAME` uses it")
    console.print(
        "sam-* are checkpoints: `python -m services.segmenter.sam.export --help` says how to make models of them"
    )
    if any(not row["commercial_use"] for row in rows):
        console.print("* not for commercial use: fetched only with --accept-non-commercial")


def fetch_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="E.g. u2netp; `packshot models list` shows all.")],
    models_dir: ModelsDir = _MODELS_DIR,
    accept_non_commercial: Annotated[
        bool,
        typer.Option(
            "--accept-non-commercial",
            help="Also fetch weights whose licence forbids commercial use, e.g. for a comparison.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is not the published one.")] = False,
) -> None:
    """Fetch models' weights from where they are published, and check them.

    \b
    A fetch that was cut off, or stopped with Ctrl-C, goes on where it was when
    the command is run again. A file appears only when size and SHA-256 are right.

    \b
    [bold]Examples[/]
      packshot models fetch u2netp
      packshot models fetch isnet-general-use birefnet-lite --models-dir models
      packshot models fetch rmbg-2.0 --accept-non-commercial

    \b
    [bold]Exit code[/]
      0  all files are there and right
      1  one could not be fetched
      2  the command was not understood, or a licence was not accepted
    """
    rows = _rows(names)
    refused = [row for row in rows if not (row.commercial_use or accept_non_commercial)]
    if refused:
        raise CommandError(
            *(f"{row.name}: its licence, {row.licence}, forbids commercial use" for row in refused),
            cure="If that suits you, fetch it with --accept-non-commercial.",
        )
    outcomes = [_fetch(row, models_dir, force=force) for row in rows]
    if not all(outcomes):
        raise typer.Exit(EXIT_NOT_WHOLE)


def verify_models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Which; without names all that are here.")
    ] = None,
    models_dir: ModelsDir = _MODELS_DIR,
    as_json: options.Json = False,
) -> None:
    """Read models' files and compare them with the published ones.

    \b
    ok              the published file, byte for byte
    wrong           another file, or a damaged one
    missing         not there
    unknown digest  nobody has published one; only the size was compared

    \b
    [bold]Examples[/]
      packshot models verify
      packshot models verify u2netp --json

    \b
    [bold]Exit code[/]
      0  all are ok, or their digests unknown
      1  a file is wrong, or a named one is missing
    """
    services = _services()
    rows = _rows(names or [])
    if not names:
        rows = [row for row in rows if services.presence(row, models_dir) != services.Presence.MISSING]
    found = []
    for row in rows:
        file = services.weights_path(row, models_dir)
        try:
            with stderr().status(f"Reading {file} …"):
                verdict = services.verify(row, file)
        except OSError as error:
            raise CommandError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
        found.append(_document(row, models_dir) | {"state": str(verdict)})
    if as_json:
        print_json({"models": found})
    elif found:
        stdout().print(models_table(found))
    else:
        stdout().print(f"no models in {models_dir}; `packshot models list` shows what there is")
    for model in found:
        if model["state"] == services.Verdict.WRONG:
            cure = f"`packshot models fetch {model['name']} --force` replaces it." if model["url"] else ""
            print_problem(f"{model['file']} is not the published file", cure, stderr())
    if any(model["state"] in (services.Verdict.WRONG, services.Verdict.MISSING) for model in found):
        raise typer.Exit(EXIT_NOT_WHOLE)


def _fetch(row: ModelSpec | Checkpoint, models_dir: Path, *, force: bool) -> bool:
    """Whether the file is there and right in the end; says so, or why not."""
    services = _services()
    file = services.weights_path(row, models_dir)
    console = stderr()
    if row.url is None:
        stdout().print(f"{row.name} ships with Packshot: nothing to fetch")
        return True
    try:
        if file.exists():
            if services.verify(row, file) != services.Verdict.WRONG:
                stdout().print(f"{row.name} is here already: {file}", soft_wrap=True)
                return True
            if not force:
                print_problem(
                    f"{row.name}: {file} is there, but is not the published file", "--force replaces it.", console
                )
                return False
        with _progress(row.name) as report:
            services.fetch(row, file, report)
    except services.FetchError as error:
        print_problem(error.cause, error.cure, console)
        return False
    except OSError as error:
        print_problem(f"cannot read {file}: {(error.strerror or str(error)).lower()}", "", console)
        return False
    except KeyboardInterrupt:
        kept = decimal(services.kept_bytes(file))
        print_problem(
            f"interrupted; {kept} of {row.name} are kept",
            f"`packshot models fetch {row.name}` goes on from there.",
            console,
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None
    checked = "SHA-256 as published" if row.sha256 is not None else "no SHA-256 is published: only its size was checked"
    stdout().print(f"{row.name}: {decimal(file.stat().st_size)} in {file}, {checked}; {row.licence}", soft_wrap=True)
    return True


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    """Yields what `fetch` reports to; draws a bar where somebody watches."""
    bar = Progress(
        TextColumn(name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
        disable=not stderr().is_terminal,
    )
    with bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _rows(names: Sequence[str]) -> list[ModelSpec | Checkpoint]:
    """Of the models named, each once; of all without names."""
    services = _services()
    try:
        return [services.published(name) for name in dict.fromkeys(names or services.CATALOGUE)]
    except services.UnknownModelError as error:
        raise CommandError(str(error), cure="`packshot models list` says more of each.") from error


def _document(row: ModelSpec | Checkpoint, models_dir: Path) -> dict[str, Any]:
    return {
        "name": row.name,
        "file": str(_services().weights_path(row, models_dir)),
        "licence": row.licence,
        "commercial_use": row.commercial_use,
        "size_bytes": row.size_bytes,
        "input_side_px": row.input_side_px,
        "sha256": row.sha256,
        "url": row.url,
    }


def _services() -> Any:
    """`packshot.cli.local`, imported when it is needed: a caller may have none of the services' libraries."""
    with needing_services("the models' catalogue", cure="Install them with pip install 'packshot[all]'."):
        from packshot.cli import local
    return local
