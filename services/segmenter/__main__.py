"""Runs the segmenter: python -m services.segmenter"""

import sys

from services.common.server import run
from services.segmenter.server import create
from services.segmenter.settings import SegmenterSettings

if __name__ == "__main__":
    sys.exit(run(create, SegmenterSettings))
