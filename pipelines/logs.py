"""What the engine says while it runs, on standard error: coloured lines for people, JSON for machines.

`info`: started, stopped, connected. `warning`: somebody should have a look. `error`: a person must act. Values that are
secret are never handed to a logger; tracebacks come without the values of variables.
"""

import sys
from contextlib import suppress
from enum import StrEnum
from typing import Any, TextIO, cast


class LogFormat(StrEnum):
    """How a line is written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least of what is said."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _StandardError:
    """Standard error; what cannot be written there, on a full disk or to a closed pipe, stops nothing."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(form: LogFormat | None = None, level: LogLevel = LogLevel.INFO) -> None:
    """Say things from now on in this form; by default `console` where standard error is a terminal, else `json`."""
    import structlog  # commands that log nothing need not wait for it

    terminal = sys.stderr.isatty()
    form = form or (LogFormat.CONSOLE if terminal else LogFormat.JSON)
    last: list[Any]
    if form is LogFormat.JSON:
        without_values = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last = [structlog.processors.ExceptionRenderer(without_values), structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=terminal, pad_event_to=30, exception_formatter=plain)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=False,
    )
