"""Which URLs may be called at all, by their looks; where they lead is found out when connecting."""

import re
from ipaddress import ip_address
from typing import Final

import httpx

from services.gateway.sources.settings import SourceSettings

_NAME: Final = re.compile(
    r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?", re.ASCII
)
_NUMBER: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?", re.ASCII)
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class RefusedError(httpx.TransportError):
    """A call that is not made, to protect our own network.

    Attributes:
        reason: SOURCE_URL_INVALID, SOURCE_SCHEME_REFUSED, SOURCE_USERINFO_REFUSED, SOURCE_PORT_REFUSED or
            SOURCE_ADDRESS_REFUSED, see `services.gateway.sources.errors`.
        message: What is wrong and what to do; names no more of the URL than its host.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def parse_url(url: str) -> httpx.URL:
    """Reads a URL as it will be called. Raises RefusedError SOURCE_URL_INVALID."""
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise RefusedError(
            "SOURCE_URL_INVALID", "not a URL; write https://HOST/PATH, without spaces or line breaks"
        ) from error


def check_url(url: httpx.URL, settings: SourceSettings) -> None:
    """Raises RefusedError unless the URL is https (or http to an internal host), plain, and of an allowed port."""
    if url.scheme not in _DEFAULT_PORTS:
        raise RefusedError(
            "SOURCE_SCHEME_REFUSED", "only https URLs are fetched, and s3:// or gs:// of buckets on the list"
        )
    if url.userinfo:
        raise RefusedError(
            "SOURCE_USERINFO_REFUSED", "a URL with a user or password in it is not called; leave them out"
        )
    host = url.raw_host.decode("ascii").lower()
    port = url.port or _DEFAULT_PORTS[url.scheme]
    _check_host(host)
    if settings.is_internal(host, port):
        return
    if url.scheme != "https":
        raise RefusedError("SOURCE_SCHEME_REFUSED", f"{host}: only https is called, not http")
    if port not in settings.ports:
        raise RefusedError(
            "SOURCE_PORT_REFUSED",
            f"{host}: port {port} is not called; use {', '.join(map(str, sorted(settings.ports)))}",
        )


def _check_host(host: str) -> None:
    """An address is written in its one normal form, or is a name that nothing could take for an address."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        if "%" not in host:  # a network interface of ours
            return
    if _NAME.fullmatch(host) is None or len(host) > 253:
        raise RefusedError("SOURCE_URL_INVALID", "the URL's host is no host name; write https://HOST/PATH")
    # inet_aton, and so getaddrinfo, takes 2130706433, 0x7f.1 and 0177.0.0.1 for addresses (WHATWG URL, 3.5).
    if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        raise RefusedError(
            "SOURCE_ADDRESS_REFUSED", "the URL's host is an address in an unusual form; use the host's name"
        )
