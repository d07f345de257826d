"""Structured logs: one JSON object a line (or coloured lines on a terminal), without secrets (`shared.redaction`)."""

import json
import logging
import sys
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor

from shared import tracing
from shared.redaction import Redactor

NOISY: Final = ("aiormq", "aio_pika")
"""Libraries that repeat for each channel and frame what our own lines tell once."""


def configure_logging(*, service: str, log_format: str, level: str, redactor: Redactor | None = None) -> None:
    """Set up structlog and route the libraries' own logs through it. Called once, in `__main__`."""
    shared_processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    redact = redactor or Redactor()

    def redacted(_: object, __: str, line: str) -> str:
        return redact(line)

    finishing: list[Processor] = [
        structlog.processors.format_exc_info,
        _as_json if log_format == "json" else _for_people(),
        redacted,  # type: ignore[list-item] # takes the line that the renderer returned
    ]
    structlog.configure(
        processors=[*shared_processors, *finishing],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finishing],
        )
    )
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def _add_trace_id(_: object, __: str, event: EventDict) -> EventDict:
    """Name the trace of what is going on, unless the line names its own."""
    if "trace_id" not in event and (trace_id := tracing.trace_id_of(tracing.current())) is not None:
        event["trace_id"] = trace_id
    return event


def _as_json(_: object, __: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=repr).decode()
    except TypeError:  # a lone surrogate or an integer over 64 bits, which only a stranger's input has
        return json.dumps(event, default=repr)


def _for_people() -> Any:
    # Plain tracebacks: the pretty ones print the values of local variables.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
