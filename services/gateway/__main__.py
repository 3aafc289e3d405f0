"""Runs the gateway: python -m services.gateway [--role api|worker|all]"""

import argparse
import sys

from services.common.server import run
from services.gateway.server import create
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m services.gateway", description="Run the gateway.")
    parser.add_argument(
        "--role",
        choices=("api", "worker", "all"),
        default=argparse.SUPPRESS,
        help="answer callers, work on jobs, or both (default: GATEWAY_ROLE, or all)",
    )
    sys.exit(run(create, GatewaySettings, **vars(parser.parse_args())))
