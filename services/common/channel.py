"""Channels to other services: retries for calls that may be repeated, load spread over all replicas."""

import json

import grpc

from services.common.renewed_channel import RenewedChannel
from services.common.tls import CertificateFiles, channel_credentials

_BALANCING: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}

_RETRIES: dict[str, object] = {
    "methodConfig": [
        {
            # Every stage call is a pure function of its request, so all may be repeated.
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # A server that stops cancels what has reached it and not yet its handler. A caller's own cancelling
                # ends the call, whatever stands here.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ]
}

_COMMON: tuple[tuple[str, str | int], ...] = (
    ("grpc.enable_retries", 1),
    # A call larger than this buffer is never retried; the default is smaller than any photo.
    ("grpc.per_rpc_retry_buffer_size", 160 * 2**20),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Names are looked up again whenever a connection ends; by default no sooner than after half a minute, in which a
    # rollout replaces every replica.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.use_local_subchannel_pool", 1),
    # Stages are neighbours: a proxy meant for the internet must not get their photos.
    ("grpc.enable_http_proxy", 0),
)

OPTIONS: tuple[tuple[str, str | int], ...] = (
    *_COMMON,
    ("grpc.service_config", json.dumps(_BALANCING | _RETRIES)),
)
_WITHOUT_RETRIES: tuple[tuple[str, str | int], ...] = (*_COMMON, ("grpc.service_config", json.dumps(_BALANCING)))


def open_channel(address: str, *, retries: bool = True, tls: CertificateFiles | None = None) -> grpc.aio.Channel:
    """A channel to `HOST:PORT`, `dns:///headless-name:PORT` or `unix:/PATH`; connects on first use.

    Without `retries` a call that breaks is the caller's to repeat; one that never left is still repeated. With `tls`
    it is encrypted, and goes over to the files' new contents when they change; no call fails over that.

    Raises:
        TlsError: The files cannot be used.
    """
    options = OPTIONS if retries else _WITHOUT_RETRIES
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    return RenewedChannel(
        lambda pem: grpc.aio.secure_channel(address, channel_credentials(pem), options=options), address, tls
    )
