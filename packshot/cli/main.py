"""The `packshot` command."""

import importlib.metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from packshot.cli import jobs as jobs_commands
from packshot.cli import reviews as reviews_commands
from packshot.cli.bulk import bulk
from packshot.cli.check import check
from packshot.cli.console import stderr
from packshot.cli.cutout import cutout
from packshot.cli.failures import EXIT_FAILURE, EXIT_INTERRUPTED, CommandError, explain, print_problem
from packshot.cli.fix import fix
from packshot.cli.models import fetch_models, list_models, verify_models
from packshot.cli.rules import list_packs, show_pack
from packshot.cli.serve import serve
from packshot.cli.status import status
from packshot.errors import PackshotError


class _Commands(TyperGroup):
    """Turns what commands raise into words on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            *first, last = error.problems
            for problem in first:
                print_problem(problem, "", stderr())
            print_problem(last, error.cure, stderr())
        except PackshotError as error:
            explanation = explain(error)
            print_problem(explanation.cause, explanation.cure, stderr())
        except KeyboardInterrupt:
            print_problem("interrupted; files already written are whole", "", stderr())
            raise typer.Exit(EXIT_INTERRUPTED) from None
        raise typer.Exit(EXIT_FAILURE)


_STYLE: dict[str, Any] = {
    "no_args_is_help": True,
    "rich_markup_mode": "rich",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

app = typer.Typer(name="packshot", cls=_Commands, add_completion=False, pretty_exceptions_enable=False, **_STYLE)
app.command("fix", no_args_is_help=True)(fix)
app.command("bulk", no_args_is_help=True)(bulk)
app.command("cutout", no_args_is_help=True)(cutout)
app.command("check", no_args_is_help=True)(check)
jobs = typer.Typer(**_STYLE)
jobs.command("list")(jobs_commands.list_jobs)
jobs.command("show", no_args_is_help=True)(jobs_commands.show_job)
jobs.command("watch", no_args_is_help=True)(jobs_commands.watch_job)
jobs.command("items", no_args_is_help=True)(jobs_commands.list_items)
jobs.command("cancel", no_args_is_help=True)(jobs_commands.cancel_job)
jobs.command("retry", no_args_is_help=True)(jobs_commands.retry_items)
jobs.command("results", no_args_is_help=True)(jobs_commands.get_results)
dead_letters = typer.Typer(**_STYLE)
dead_letters.command("list")(jobs_commands.list_dead_letters)
dead_letters.command("requeue", no_args_is_help=True)(jobs_commands.requeue_dead_letters)
jobs.add_typer(dead_letters, name="dlq", help="Items that were given up after too many attempts.")
app.add_typer(jobs, name="jobs", help="Bulk jobs that a gateway keeps: look, cancel, retry, get results.")
reviews = typer.Typer(**_STYLE)
reviews.command("list")(reviews_commands.list_reviews)
reviews.command("show", no_args_is_help=True)(reviews_commands.show_review)
reviews.command("approve", no_args_is_help=True)(reviews_commands.approve)
reviews.command("reject", no_args_is_help=True)(reviews_commands.reject)
reviews.command("redo", no_args_is_help=True)(reviews_commands.redo)
app.add_typer(reviews, name="reviews", help="Decide about results that need a person's look.")
rules = typer.Typer(**_STYLE)
rules.command("list")(list_packs)
rules.command("show", no_args_is_help=True)(show_pack)
app.add_typer(rules, name="rules", help="Show what marketplaces ask for, with dates and sources.")
models = typer.Typer(**_STYLE)
models.command("list")(list_models)
models.command("fetch", no_args_is_help=True)(fetch_models)
models.command("verify")(verify_models)
app.add_typer(models, name="models", help="Get learned models that find products in difficult photos.")
app.command("serve")(serve)
app.command("status")(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"packshot {importlib.metadata.version('packshot')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def packshot(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Any product photo into a marketplace-ready main image: cut out, on pure white, checked against the rules.

    \b
    [bold]Start here[/]
      packshot fix mug.jpg -o out                one photo
      packshot fix photos/ -o out -m amazon-de   a folder, for a marketplace
      packshot bulk catalogue.csv -o out         a catalogue of URLs, as a job that survives everything
      packshot check out/mug.jpg                 is an image good enough?
      packshot COMMAND --help                    more about a command
    """


def main() -> None:
    """Entry point of the `packshot` script."""
    app()


if __name__ == "__main__":
    main()
