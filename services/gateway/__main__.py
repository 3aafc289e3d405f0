"""Runs the gateway: python -m services.gateway"""

import sys

from services.common.server import run
from services.gateway.server import create
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    sys.exit(run(create, GatewaySettings))
