"""The body of a webhook call: a job's event as JSON, in the style of reports; no images."""

import json

from packshot.report import message_to_dict
from packshot.v1.jobs_pb2 import JobEvent


def body_of(event: JobEvent) -> bytes:
    """UTF-8 JSON of an event, the same bytes for the same event: what is sent again is what was sent."""
    return json.dumps(message_to_dict(event), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
