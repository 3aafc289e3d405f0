"""What went wrong and what to do about it, in words for the person at the terminal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.text import Text

from packshot.errors import (
    DeadlineExceededError,
    PackshotError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
)

EXIT_FAILURE: Final = 2
EXIT_INTERRUPTED: Final = 130


class CommandError(Exception):
    """The command cannot go on. `problems` says why, line by line; `cure` what to do."""

    def __init__(self, *problems: str, cure: str = "") -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause and cure of a failed call; the cure may be empty."""

    cause: str
    cure: str


_OPTION_OF_FIELD: Final = {
    "marketplaces": "--marketplace",
    "category": "--category",
    "outputs": "--output",
    "region_of_interest": "--roi",
    "layout": "--fill or --margin",
    "fill_ratio": "--fill",
    "margin": "--margin",
    "canvas": "--size",
    "width_px": "--size",
    "height_px": "--size",
    "jpeg_quality": "--quality",
    "as_of_date": "--as-of",
}

# Only where the server's message does not say it already.
_CURES: Final = {
    "SERVER_UNREACHABLE": "Is the gateway running there? `packshot serve` starts one on this machine; without --server"
    " the command works by itself. If it is, and encrypts, add --tls, and --tls-cert if it asks for certificates.",
    "SERVER_NOT_TRUSTED": "Name the authority that signed its certificate with --tls-ca FILE, and the gateway by the"
    " name that stands in the certificate.",
    "SERVER_WITHOUT_TLS": "Leave --tls and --tls-ca out, or give the port where it encrypts.",
    "PHOTO_EMPTY": "The file is empty: copy it again from the camera or the original.",
    "PHOTO_UNREADABLE": "Check that the file is there and that you may read it.",
    "PHOTO_TOO_LARGE": "Save it with fewer pixels or a lower quality and try again.",
    "PHOTO_TOO_MANY_PIXELS": "Save it with fewer pixels and try again.",
    "NO_PRODUCT": "Take the photo on a plainer background, or show where the product is: `packshot fix` and"
    " `packshot cutout` take --roi X,Y,W,H.",
    "REGION_OUTSIDE_PHOTO": "Give --roi in pixels of the photo as it is shown upright, origin top left.",
}


def explain(error: PackshotError) -> Explanation:
    """The cause without the file's name, and the cure in terms of this command's options."""
    cause = error.message
    if error.field_violations:
        cause = "; ".join(
            f"{option}: {violation.description}" if (option := _option(violation.field)) else violation.description
            for violation in error.field_violations
        )
    return Explanation(cause, _CURES.get(error.reason) or _cure_of_kind(error))


def error_to_dict(error: PackshotError | None) -> dict[str, str] | None:
    """The error as it stands in --json documents."""
    if error is None:
        return None
    explanation = explain(error)
    return {"reason": error.reason, "message": explanation.cause, "what_to_do": explanation.cure}


def print_failures(outcomes: Iterable[tuple[str, PackshotError | None]], console: Console) -> None:
    """One entry per cause, naming the photos it hit."""
    photos_of: dict[Explanation, list[str]] = {}
    for photo, error in outcomes:
        if error is not None:
            photos_of.setdefault(explain(error), []).append(photo)
    for explanation, photos in photos_of.items():
        who = ", ".join(photos) if len(photos) <= 3 else f"{len(photos)} photos ({photos[0]}, …)"
        print_problem(f"{who}: {explanation.cause}", explanation.cure, console)


def print_problem(cause: str, cure: str, console: Console) -> None:
    """A red cross and the cause; the cure below it."""
    console.print(Text.assemble(("✗ ", "bold red"), cause), soft_wrap=True)
    if cure:
        console.print(Text.assemble(("  → ", "bold"), cure), soft_wrap=True)


def _option(field: str) -> str:
    """ "--category" for "options.category"; empty for the photo and other things that are no option."""
    names = [part.split("[")[0] for part in field.split(".")]
    return next((_OPTION_OF_FIELD[name] for name in reversed(names) if name in _OPTION_OF_FIELD), "")


def _cure_of_kind(error: PackshotError) -> str:
    fields = {violation.field.split(".")[-1].split("[")[0] for violation in error.field_violations}
    if fields & {"marketplaces", "category", "id"} or error.reason in ("UNKNOWN_MARKETPLACE", "UNKNOWN_CATEGORY"):
        return "`packshot rules list` shows the marketplaces and their categories."
    if isinstance(error, UnauthenticatedError):
        return (
            "Give the gateway's key with --api-key, or in the environment variable PACKSHOT_API_KEY; or a token in"
            " PACKSHOT_TOKEN."
        )
    if isinstance(error, DeadlineExceededError):
        return "Give it longer with --timeout SECONDS, or send a smaller photo."
    if isinstance(error, ResourceExhaustedError):
        wait = f"in {error.retry_after_s:g} s" if error.retry_after_s else "later"
        return f"Try again {wait}, or with a lower --jobs."
    if isinstance(error, UnavailableError):
        return "Something behind the gateway is down: try again in a moment, or ask who runs it."
    return ""
