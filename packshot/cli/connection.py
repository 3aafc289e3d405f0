"""Who does the work: a gateway, or the services in this process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from packshot.cli.console import stderr
from packshot.cli.data_dir import DataDir
from packshot.cli.failures import CommandError
from packshot.cli.installed import needing_services
from packshot.client import PackshotClient


@dataclass(frozen=True, slots=True)
class Connection:
    """What the options above say together."""

    server: str | None
    api_key: str | None
    tls: bool
    timeout_s: float
    models: tuple[str, ...] = ()
    models_dir: Path | None = None

    @contextmanager
    def open(self, jobs_folder: Path | None = None) -> Iterator[PackshotClient]:
        """A client of the gateway, or of a stack that lives as long as this block.

        Args:
            jobs_folder: Where such a stack keeps its jobs; None means it has none.

        Raises:
            CommandError: The options contradict each other, or the services are not installed.
        """
        if self.server is not None:
            if self.models:
                raise CommandError("--model is for work without --server: a gateway has its own models")
            with self._client(self.server, self.api_key) as client:
                yield client
            return
        if self.tls:
            raise CommandError("--tls needs --server: without one nothing leaves this process")
        with self._local_stack(jobs_folder) as address, self._client(address, None) as client:
            yield client

    @contextmanager
    def open_gateway(self) -> Iterator[PackshotClient]:
        """A client of the gateway that keeps the jobs.

        Raises:
            CommandError: No gateway is named.
        """
        if self.server is None:
            raise CommandError(
                "jobs are kept by a gateway, and none is named",
                cure="Name it with --server HOST:PORT or PACKSHOT_SERVER; `packshot serve --data-dir DIR` runs one on"
                " this machine, with DIR/.packshot also for jobs that `packshot bulk` made without one.",
            )
        with self._client(self.server, self.api_key) as client:
            yield client

    def _client(self, address: str, api_key: str | None) -> PackshotClient:
        try:
            return PackshotClient(address, api_key=api_key and api_key.strip(), timeout_s=self.timeout_s, tls=self.tls)
        except ValueError as error:
            raise CommandError(f"the API key is no key: {error}", cure="Copy it again.") from error

    @contextmanager
    def _local_stack(self, jobs_folder: Path | None) -> Iterator[str]:
        cure = "Install them with pip install 'packshot[all]', or name a gateway with --server HOST:PORT."
        with needing_services("working without a server", cure=cure):
            from packshot.cli.local import LocalStack, StartError
        proposers = ("classical", *self.models) if self.models else None
        with ExitStack() as running:
            if jobs_folder is not None:
                running.enter_context(DataDir(jobs_folder).held())
            with stderr().status("Starting Packshot …"):
                try:
                    stack = running.enter_context(LocalStack(proposers, self.models_dir, jobs_folder))
                except StartError as error:
                    cure = "Say where the models' files are with --models-dir." if self.models else ""
                    raise CommandError(f"cannot start: {error}", cure=cure) from error
            try:
                yield stack.address
            finally:
                with stderr().status("Finishing what is in work …"):
                    running.close()
