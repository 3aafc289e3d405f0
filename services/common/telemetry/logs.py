"""Logs: one JSON object a line on stderr with the ids of request and trace; no image bytes, URLs' queries or keys."""

import logging
import sys

import structlog
from opentelemetry import trace
from structlog.types import EventDict, Processor, WrappedLogger

from services.common.settings import ServerSettings

_libraries = logging.StreamHandler()
"""What libraries say goes the same way, from warnings on: what they say below that is not ours to vouch for."""


def configure_logs(service: str, settings: ServerSettings) -> None:
    """Sets up structlog for this process, and what libraries log."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def named(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """On lines of threads without a call, too."""
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        named,
        _with_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _libraries.setStream(sys.stderr)
    _libraries.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level.upper()]))
    _libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.getLogger().addHandler(_libraries)


def _with_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Adds the id of the trace that the line belongs to."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event
