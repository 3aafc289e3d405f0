"""What proves who is who: certificates, and tokens."""

import ssl
from collections.abc import Callable
from pathlib import Path

import grpc

Token = str | Callable[[], str]


def tls_credentials(
    ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> grpc.ChannelCredentials:
    """What `PackshotClient(credentials=…)` takes, from PEM files.

    Args:
        ca_file: Certificates of those who may have signed the gateway's; the system's when left out.
        cert_file: Your own certificate, for a gateway that asks for one.
        key_file: Its key, not encrypted; left out when it is in `cert_file`, too.

    Raises:
        ValueError: A file cannot be used; the message says which and why.
    """
    if key_file is not None and cert_file is None:
        raise ValueError(f"the key {key_file} is of no use without its certificate")
    key_file = key_file or cert_file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities, certificate, key = _read(ca_file), _read(cert_file), _read(key_file)
    try:
        if authorities is not None:
            context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"{ca_file} holds no certificates in PEM") from error
    try:
        if cert_file is not None:
            # An empty password: one that is asked for at a terminal would wait for ever.
            context.load_cert_chain(cert_file, key_file, password="")  # nosec B106
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"{cert_file} and {key_file} are no certificate and its unencrypted key in PEM") from error
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def channel_credentials(
    address: str, *, tls: bool, credentials: grpc.ChannelCredentials | None, token: Token | None
) -> grpc.ChannelCredentials | None:
    """What a channel is opened with; None: neither encrypted nor with a token.

    Raises:
        ValueError: The token could be read on its way.
    """
    if credentials is None and tls:
        credentials = grpc.ssl_channel_credentials()
    if token is None:
        return credentials
    if credentials is None:
        if not is_on_this_machine(address):
            raise ValueError("a token travels only encrypted: use tls, or credentials")
        kind = grpc.LocalConnectionType.UDS if address.startswith("unix:") else grpc.LocalConnectionType.LOCAL_TCP
        credentials = grpc.local_channel_credentials(kind)
    return grpc.composite_channel_credentials(credentials, grpc.metadata_call_credentials(_Bearer(token)))


def is_on_this_machine(address: str) -> bool:
    """Whether what is sent to an address stays on this machine."""
    return address.startswith(("unix:", "localhost:", "127.", "[::1]", "ipv4:127."))


class _Bearer(grpc.AuthMetadataPlugin):
    """Asks for the token anew for every call: it may have been replaced by a newer one."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        try:
            token = self._token if isinstance(self._token, str) else self._token()
        except Exception as error:  # gRPC tells whoever calls
            callback((), error)
            return
        callback((("authorization", f"Bearer {token.strip()}"),), None)


def _read(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error
