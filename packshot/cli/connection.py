"""Who does the work: a gateway, or the services in this process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from packshot.cli.console import stderr
from packshot.cli.data_dir import DataDir
from packshot.cli.failures import CommandError
from packshot.cli.installed import needing_services
from packshot.client import PackshotClient, tls_credentials
from packshot.client._credentials import is_on_this_machine


@dataclass(frozen=True, slots=True)
class Proof:
    """Who calls, and whom they believe to be the gateway."""

    api_key: str | None = field(repr=False)
    token: str | None = field(repr=False)
    tls: bool
    tls_ca: Path | None
    tls_cert: Path | None
    tls_key: Path | None

    @property
    def encrypts(self) -> bool:
        return self.tls or any((self.tls_ca, self.tls_cert, self.tls_key))

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Raises CommandError when a file cannot be used."""
        if not self.encrypts:
            return None
        try:
            return tls_credentials(self.tls_ca, self.tls_cert, self.tls_key)
        except ValueError as error:
            raise CommandError(str(error), cure="Check --tls-ca, --tls-cert and --tls-key.") from error


@dataclass(frozen=True, slots=True)
class Connection:
    """Which gateway, and how; none: work in this process."""

    server: str | None
    proof: Proof
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
            with self._client(self.server) as client:
                yield client
            return
        if self.proof.tls:
            raise CommandError("--tls needs --server: without one nothing leaves this process")
        with self._local_stack(jobs_folder) as address, PackshotClient(address, timeout_s=self.timeout_s) as client:
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
        with self._client(self.server) as client:
            yield client

    def _client(self, server: str) -> PackshotClient:
        proof = self.proof
        credentials = proof.credentials()
        if proof.token is not None and credentials is None and not is_on_this_machine(server):
            raise CommandError("a token travels only encrypted", cure="Add --tls, or --tls-ca FILE.")
        try:
            return PackshotClient(
                server,
                api_key=proof.api_key and proof.api_key.strip(),
                token=proof.token,
                timeout_s=self.timeout_s,
                credentials=credentials,
            )
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
