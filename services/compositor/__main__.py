"""Runs the compositor: python -m services.compositor"""

import sys

from services.common.server import run
from services.compositor.server import create
from services.compositor.settings import CompositorSettings

if __name__ == "__main__":
    sys.exit(run(create, CompositorSettings))
