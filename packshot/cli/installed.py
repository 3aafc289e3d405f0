"""What a command needs beyond the client's own libraries."""

from collections.abc import Iterator
from contextlib import contextmanager

from packshot.cli.failures import CommandError


@contextmanager
def needing_services(what: str, *, cure: str) -> Iterator[None]:
    """For the import of `packshot.cli.local`: `what` needs the services.

    Raises:
        CommandError: A library of theirs is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("services."):
            raise  # part of ours is missing: nothing a person at the terminal can install
        raise CommandError(f"{what} needs the services, and {error.name} is not installed", cure=cure) from error
