"""A real stage whose decoder obeys hostile photos: python -m tests.helpers.hostile_stage segmenter"""

import sys
from typing import Final

from services.common.decoder.isolated import Decoder, IsolatedDecoder
from services.common.server import run
from services.common.settings import StageSettings
from services.segmenter import server as segmenter
from services.segmenter.settings import SegmenterSettings
from services.validator import server as validator
from services.validator.settings import ValidatorSettings
from tests.helpers import hostile_decoder

_STAGES: Final = {"segmenter": (segmenter, SegmenterSettings), "validator": (validator, ValidatorSettings)}


def create_decoder(settings: StageSettings) -> Decoder:
    """As the services make theirs."""
    limits = (settings.decode_workers, settings.decode_timeout_s, settings.decode_memory_mb)
    return IsolatedDecoder(*limits, hostile_decoder.decode)


if __name__ == "__main__":
    stage, settings = _STAGES[sys.argv[1]]
    setattr(stage, "create_decoder", create_decoder)  # noqa: B010 - mypy: it is imported there, not defined
    sys.exit(run(stage.create, settings))
