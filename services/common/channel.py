"""Channels to other services: retries for calls that may be repeated, load spread over all replicas."""

import json

import grpc

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
                "retryableStatusCodes": ["UNAVAILABLE"],
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
    ("grpc.max_reconnect_backoff_ms", 2000),
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


def open_channel(address: str, *, retries: bool = True) -> grpc.aio.Channel:
    """A channel to `HOST:PORT`, `dns:///headless-name:PORT` or `unix:/PATH`; connects on first use.

    Without `retries` a call that breaks is the caller's to repeat; one that never left is still repeated.
    """
    return grpc.aio.insecure_channel(address, options=OPTIONS if retries else _WITHOUT_RETRIES)
