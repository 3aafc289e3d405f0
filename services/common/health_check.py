"""Asks a service's gRPC health: `python -m services.common.health_check 127.0.0.1:50060`. For container engines.

Exit code 0: SERVING. 1: anything else, with the reason on stderr. Kubernetes asks by itself and needs no command.
"""

import argparse
import sys
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_STATUS = health_pb2.HealthCheckResponse


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.common.health_check", description=__doc__)
    parser.add_argument("address", help="HOST:PORT of a plaintext port, e.g. that of GATEWAY_HEALTH_LISTEN")
    parser.add_argument("--service", default="", help='e.g. "liveness" or a proto service; default: all that it serves')
    parser.add_argument("--timeout-s", type=float, default=3.0, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    try:
        status = ask(arguments.address, arguments.service, arguments.timeout_s)
    except grpc.RpcError as error:
        print(f"{arguments.address} does not answer: {error.details()}", file=sys.stderr)  # noqa: T201
        return 1
    if status != _STATUS.SERVING:
        name = _STATUS.ServingStatus.Name(status)
        print(f"{arguments.address} says {name} for {arguments.service!r}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def ask(address: str, service: str, timeout_s: float) -> int:
    """The status, a `HealthCheckResponse.ServingStatus`.

    Raises:
        grpc.RpcError: Nothing answers in time, or the name is not known there.
    """
    # The address is on this machine; a proxy of the environment would be asked for it otherwise.
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=service)
        answer = stub.Check(request, timeout=timeout_s)  # type: ignore[attr-defined]  # not in its stubs
    return int(answer.status)


if __name__ == "__main__":
    sys.exit(main())
