"""What an item is made with: its options, and the key under which its result is kept."""

import hashlib
from collections.abc import Sequence
from datetime import date

from packshot.v1.packshot_pb2 import OUTPUT_REPORT_JSON, ProcessOptions
from packshot.v1.rules_pb2 import RulePack
from services.gateway import request


def normalised(asked: ProcessOptions, default_marketplace: str) -> ProcessOptions:
    """The options with defaults filled in: those that ask for the same are equal. Nothing is debugged in bulk."""
    options = ProcessOptions()
    options.CopyFrom(asked)
    if not options.marketplaces:
        options.marketplaces.append(default_marketplace)
    wanted = sorted(request.outputs(options))
    del options.outputs[:]
    options.outputs.extend(wanted)
    options.debug = False
    return options


def without_report_file(options: ProcessOptions) -> ProcessOptions:
    """The same for the pipeline, whose report as JSON tells how long things took: a kept file must not differ from
    one making to the next, so the worker writes its own."""
    asked = ProcessOptions()
    asked.CopyFrom(options)
    wanted = [output for output in options.outputs if output != OUTPUT_REPORT_JSON]
    del asked.outputs[:]
    asked.outputs.extend(wanted)
    return asked


def result_key(
    photo_sha256: str, options: ProcessOptions, packs: Sequence[RulePack], segmenter_digest: str, today: date
) -> str:
    """64 hex digits: the same means the same files.

    The day itself does not count, only which of the packs' dated values are in force on it.

    Args:
        photo_sha256: Of the photo's bytes, in hex.
        options: As of `normalised`.
        packs: One for each of the options' marketplaces, with the rules of the options' category.
        segmenter_digest: Of DescribeSegmenter.
        today: The day whose rules apply when the options name none.
    """
    day = options.as_of_date or today.isoformat()
    parts = [photo_sha256, options.SerializeToString(deterministic=True).hex(), segmenter_digest]
    for pack in packs:
        parts += [pack.id, pack.hash]
        parts += [
            f"{rule.rule_id}@{max((v.effective_from for v in rule.values if v.effective_from <= day), default='')}"
            for rule in pack.rules
        ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
