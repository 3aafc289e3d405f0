"""Which version of Packshot runs."""

import importlib.metadata
from typing import Final

VERSION: Final = importlib.metadata.version("packshot")
