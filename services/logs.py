"""Structured logs: pretty on a terminal, one JSON object a line elsewhere.

One line per RPC and per segment. Sermon text and audio never appear above DEBUG.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure(
    service: str, level: str = "info", output: Literal["auto", "json", "console"] = "auto"
) -> None:
    """Sets up structlog for this process; every line carries `service`."""
    on_terminal = output == "console" or (output == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        # Plain: the default shows every local variable, and there are sermon texts among them.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    format_exception: list[structlog.typing.Processor] = (
        [] if on_terminal else [structlog.processors.format_exc_info]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *format_exception,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
