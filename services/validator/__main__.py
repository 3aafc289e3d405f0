"""Runs the validator: python -m services.validator"""

import sys

from services.common.server import run
from services.validator.server import create
from services.validator.settings import ValidatorSettings

if __name__ == "__main__":
    sys.exit(run(create, ValidatorSettings))
