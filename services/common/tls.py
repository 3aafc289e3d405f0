"""Certificates in files that may change: new connections use what is there then, without a restart."""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

log = structlog.get_logger()

_Stamps = tuple[tuple[int, int, int], ...]


class TlsError(Exception):
    """A certificate, its key or the authorities' certificates cannot be used; the message names the file."""


@dataclass(frozen=True, slots=True)
class Pem:
    """What the files hold; empty for those that are not given."""

    certificate: bytes
    key: bytes
    authorities: bytes


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files of one side of a connection.

    Args:
        certificate: The own certificate, those of intermediate authorities after it.
        key: Its private key, not encrypted.
        authorities: Certificates of those who sign the other side's.
    """

    certificate: Path | None
    key: Path | None
    authorities: Path | None

    def stamps(self) -> _Stamps:
        """Which contents they have: differs when they have changed."""
        stamps = []
        for file in (self.certificate, self.key, self.authorities):
            try:
                found = file.stat() if file is not None else None
            except OSError:
                found = None  # reading it says why
            stamps.append((found.st_mtime_ns, found.st_ino, found.st_size) if found is not None else (0, 0, 0))
        return tuple(stamps)

    def read(self) -> Pem:
        """What they hold.

        Raises:
            TlsError: A file cannot be read, or certificate and key do not fit together.
        """
        pem = self._contents()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.certificate is not None:
            try:
                # An empty password: one that is asked for at a terminal would wait for ever.
                context.load_cert_chain(self.certificate, self.key, password="")  # nosec B106
            except (ssl.SSLError, OSError) as error:
                raise TlsError(
                    f"{self.certificate} and {self.key} are no certificate and its unencrypted key: {error}"
                ) from error
        if self.authorities is not None:
            try:
                context.load_verify_locations(cadata=pem.authorities.decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise TlsError(f"{self.authorities} holds no certificates: {error}") from error
        if self._contents() != pem:
            raise TlsError(f"{self.certificate or self.authorities} is being written")
        return pem

    def _contents(self) -> Pem:
        return Pem(_bytes(self.certificate), _bytes(self.key), _bytes(self.authorities))


class Changes:
    """Follows files. Safe to use from several threads."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen: _Stamps | None = None
        self._lock = threading.Lock()

    def next(self) -> Pem | None:
        """What the files hold, the first time and whenever they have changed; None when they have not.

        Raises:
            TlsError: They cannot be used; said once a change.
        """
        with self._lock:
            stamps = self._files.stamps()
            if stamps == self._seen:
                return None
            self._seen = stamps
            return self._files.read()


def server_credentials(files: CertificateFiles, *, ask_clients: bool) -> grpc.ServerCredentials:
    """What a server shows, as the files have it when a client connects.

    Args:
        ask_clients: Only clients with a certificate of the files' authorities get a connection.

    Raises:
        TlsError: The files cannot be used.
    """

    changes = Changes(files)

    def newer() -> grpc.ServerCertificateConfiguration | None:
        try:
            pem = changes.next()
        except TlsError as error:
            log.warning("the certificate's files changed and cannot be used, the last ones are kept", error=str(error))
            return None
        if pem is None:
            return None
        log.info("certificate read again")
        return _configuration(pem)

    first = changes.next() or files.read()
    # None, for no change, is missing in the types.
    return grpc.dynamic_ssl_server_credentials(_configuration(first), newer, ask_clients)  # type: ignore[arg-type]


def channel_credentials(pem: Pem) -> grpc.ChannelCredentials:
    """What a client shows, and whom it trusts: the system's authorities where none are given."""
    return grpc.ssl_channel_credentials(pem.authorities or None, pem.key or None, pem.certificate or None)


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.authorities or None)


def _bytes(file: Path | None) -> bytes:
    if file is None:
        return b""
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{file} cannot be read: {error.strerror}") from error
