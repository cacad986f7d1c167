"""JSON log lines with the run on each of them. What users, models and tools said is in none, unless it is asked for."""

from __future__ import annotations

import copy
import logging
import os
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from ..errors import FreeholdError, Invalid

LOG_CONTENT = ("none", "full")
# Of each text that is logged with LOG_CONTENT=full.
LONGEST_TEXT = 20_000


def content_is_logged() -> bool:
    """Raises `Invalid`."""
    setting = os.environ.get("LOG_CONTENT", "none")
    if setting not in LOG_CONTENT:
        raise Invalid(f"must be one of {', '.join(LOG_CONTENT)}, not {setting!r}", path="LOG_CONTENT")
    return setting == "full"


class Formatter(LambdaPowertoolsFormatter):
    """Of an error it gives class, traceback, causes and our own words. Those of others are content."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not content_is_logged():
            record = copy.copy(record)
            silent = wordless(error)
            record.exc_info = (type(silent), silent, silent.__traceback__)
        return super().format(record)


def for_others(error: Exception) -> Exception:
    """The error as Lambda's runtime may log it: itself where content may be logged."""
    return error if content_is_logged() else wordless(error)


def wordless(error: BaseException) -> Any:
    """A twin of its class, with its traceback and causes, that says our own words and no others."""
    kind = type(error)
    ours = error.message if isinstance(error, FreeholdError) else ""

    def say(_: object) -> str:
        return ours

    told: dict[str, object] = {
        "__str__": say,
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
    }
    try:
        # A few classes of libraries allow none below them, or want arguments.
        twin = kind.__new__(type(kind.__name__, (kind,), told))
    except TypeError:
        twin = type(kind.__name__, (Exception,), told)()
    twin.args = ()
    twin.__traceback__ = error.__traceback__
    cause, context = error.__cause__, error.__context__
    twin.__cause__ = wordless(cause) if cause else None
    # Mostly the cause once more.
    twin.__context__ = wordless(context) if context and context is not cause else twin.__cause__
    twin.__suppress_context__ = error.__suppress_context__
    return twin


def make_logger(service: str) -> Logger:
    """The stack's logger. In Lambda it writes the lines of libraries and Python's warnings, too."""
    content_is_logged()
    logger = Logger(service=service, logger_formatter=Formatter(serialize_stacktrace=False))
    if "LAMBDA_TASK_ROOT" in os.environ:
        logging.captureWarnings(capture=True)
        root = logging.getLogger()
        # The runtime's own handler knows nothing of the run.
        root.handlers = [logger.registered_handler]
        root.setLevel(logging.WARNING)
        logging.getLogger(service).propagate = False
    return logger


def cut(text: str) -> str:
    """At a length that a log line can carry."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"
