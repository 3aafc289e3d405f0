"""How the client connects: retries, keepalive, spread over all replicas."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from packshot import errors
from packshot.client._credentials import is_on_this_machine

_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                # The same photo and options give the same answer, jobs are made with a request_id, and what was
                # decided may be decided again: every method may be repeated.
                "name": [
                    {"service": "packshot.v1.PackshotService"},
                    {"service": "packshot.v1.JobService"},
                    {"service": "packshot.v1.ReviewService"},
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
            # Taken up by the client itself: only what is still missing is sent, or only what is new asked for.
            {
                "name": [
                    {"service": "packshot.v1.JobService", "method": "UploadJobItems"},
                    {"service": "packshot.v1.JobService", "method": "WatchJob"},
                ]
            },
        ],
    }
)

_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    # A call larger than this buffer is never retried; the default is smaller than any photo.
    ("grpc.per_rpc_retry_buffer_size", 72 * 2**20),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A rollout replaces every gateway in less than the half minute that names are not looked up again by default.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Two clients never share a connection, so that closing one leaves nothing behind.
    ("grpc.use_local_subchannel_pool", 1),
)


def options(address: str) -> tuple[tuple[str, str | int], ...]:
    """Channel arguments for an address."""
    return (*_OPTIONS, ("grpc.enable_http_proxy", 0)) if is_on_this_machine(address) else _OPTIONS


def metadata(api_key: str | None) -> tuple[tuple[str, str], ...]:
    """Metadata of every call.

    Raises:
        ValueError: The key holds characters no key has, e.g. a line break from a file.
    """
    if api_key is None:
        return ()
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError("api_key must be printable ASCII without spaces, and not empty")
    return (("x-api-key", api_key),)


@contextmanager
def translated(address: str, file: str | None = None) -> Iterator[None]:
    """A call to `address` in this block that fails raises PackshotError; `file` is the photo's path."""
    try:
        yield
    except grpc.RpcError as error:
        raise errors.from_rpc_error(error, address, file) from error
