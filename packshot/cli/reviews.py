"""`packshot reviews`: results that a person should look at before they are published."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from packshot.cli import options
from packshot.cli.connection import Connection, Proof
from packshot.cli.console import print_json, print_table, stdout
from packshot.cli.failures import CommandError
from packshot.cli.job_tables import reviews_table, time_text
from packshot.cli.outputs import SUFFIXES, make_folder, write_atomically
from packshot.cli.parsing import parse_point, parse_region, parse_word
from packshot.client import PackshotClient, Region, ReviewStateName
from packshot.report import enum_word, message_to_dict
from packshot.v1.reviews_pb2 import Review, ReviewState

ReviewId = Annotated[str, typer.Argument(metavar="REVIEW", help="Its id: rev_…")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept in the audit trail.")]


def list_reviews(
    job: options.OfJob = "",
    state: Annotated[
        list[Any] | None,
        typer.Option(
            "--state",
            parser=parse_word(get_args(ReviewStateName)),
            metavar="STATE",
            help=f"In this state, of {', '.join(get_args(ReviewStateName))}; repeatable.",
            show_default="waiting",
        ),
    ] = None,
    limit: options.Limit = 100,
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """List what waits for a decision, oldest first."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        reviews = list(islice(client.reviews.list(states=state or (), job_id=job), limit))
    if as_json:
        print_json({"reviews": [message_to_dict(review) for review in reviews]})
        return
    print_table(reviews_table(reviews), "no reviews")


def show_review(
    review_id: ReviewId,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="DIR", help="Folder for the packshots.")
    ] = Path("reviews"),
    as_json: options.Json = False,
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 60.0,
) -> None:
    """Show a review: its packshot, downloaded to look at, why it waits, and what was decided so far."""
    make_folder(output_dir)
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        review = client.reviews.get(review_id)
        files = _download(client, review, output_dir)
    if as_json:
        print_json({"review": message_to_dict(review), "files": [str(file) for file in files]})
        return
    console = stdout()
    console.print(reviews_table([review]))
    for file in files:
        console.print(f"packshot  {file}", soft_wrap=True, markup=False)
    if review.photo_url:
        console.print(f"photo     {review.photo_url}", soft_wrap=True, markup=False)
    for decision in review.audit_trail:
        what = enum_word(ReviewState.DESCRIPTOR, decision.state)
        note = f": {decision.note}" if decision.note else ""
        console.print(
            f"{time_text(decision.decided_at)}  {what} by {decision.decided_by}{note}", soft_wrap=True, markup=False
        )


def approve(
    review_id: ReviewId,
    note: Note = "",
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Good to publish. This is when it is charged."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        _say(client.reviews.approve(review_id, note=note))


def reject(
    review_id: ReviewId,
    note: Note = "",
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Not to be used; nothing is charged."""
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        _say(client.reviews.reject(review_id, note=note))


def redo(
    review_id: ReviewId,
    region: Annotated[
        Region | None,
        typer.Option("--region", parser=parse_region, metavar="X,Y,W,H", help="The product is in here."),
    ] = None,
    include: Annotated[
        list[Any] | None,
        typer.Option("--include", parser=parse_point, metavar="X,Y", help="This pixel is product; repeatable."),
    ] = None,
    exclude: Annotated[
        list[Any] | None,
        typer.Option("--exclude", parser=parse_point, metavar="X,Y", help="This pixel is not; repeatable."),
    ] = None,
    marketplace: Annotated[
        list[str] | None,
        typer.Option("--marketplace", "-m", metavar="ID", help="Instead of the job's; repeatable."),
    ] = None,
    note: Note = "",
    server: options.Gateway = None,
    api_key: options.ApiKey = None,
    token: options.Token = None,
    tls: options.Tls = False,
    tls_ca: options.TlsCa = None,
    tls_cert: options.TlsCert = None,
    tls_key: options.TlsKey = None,
    timeout: options.Timeout = 30.0,
) -> None:
    """Have the photo done again with hints. Pixels are those of the upright photo, from its top left.

    \b
    [bold]Examples[/]
      packshot reviews redo REVIEW --region 120,80,1600,1400
      packshot reviews redo REVIEW --include 400,900 --exclude 30,30
    """
    if not (region or include or exclude or marketplace):
        raise CommandError("without a hint it would come out as before: give one")
    with Connection(server, Proof(api_key, token, tls, tls_ca, tls_cert, tls_key), timeout).open_gateway() as client:
        review = client.reviews.redo(
            review_id,
            region_of_interest=region,
            include=include or (),
            exclude=exclude or (),
            marketplaces=marketplace or (),
            note=note,
        )
        _say(review)


def _download(client: PackshotClient, review: Review, folder: Path) -> list[Path]:
    written = []
    for file in review.item.files:
        path = folder / f"{review.review_id}.{file.marketplace}{SUFFIXES[file.output]}"
        content = client.jobs.download(review.job_id, review.item.item_key, file)
        try:
            write_atomically(path, content)
        except OSError as error:
            raise CommandError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
        written.append(path)
    return written


def _say(review: Review) -> None:
    what = enum_word(ReviewState.DESCRIPTOR, review.state)
    stdout().print(f"{review.item.sku or review.item.item_key}: {what}", markup=False)
