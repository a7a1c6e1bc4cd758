"""Sets up the log of a process: a line for people, or one JSON object a line.

What a line is about stands in its ``fields``: a mapping of names and values, given to the log as ``extra``.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

from streamer.adapters.log.outbox import LOGGER as ATTEMPTS
from streamer.cli.log_repeats import Repeats

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: They log what is usual in a rebalance as warnings, and what matters reaches us as errors of calls.
_NOISY = ("aiokafka", "faust", "mode")
#: What needs no quotes in a line for people.
_PLAIN = re.compile(r"[\w.:/+@-]+", re.ASCII)


class JsonLines(logging.Formatter):
    """One JSON object a line: at (RFC 3339), level, logger, message, its fields, and the trace when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), **_fields(record)}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """A line for people, its fields as ``name=value`` behind the sentence."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without a trace."""
        return " ".join((super().formatMessage(record), *(f"{n}={_text(v)}" for n, v in _fields(record).items())))


def set_up_log(level: str, form: str, *, attempts: bool = False) -> None:
    """Log to stderr at ``level``, as ``text`` or ``json``; attempts by a word of their own, since there are so many."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines(_TEXT))
    # On the handler, not on a logger: a logger's filter does not see what the loggers below it say.
    handler.addFilter(Repeats(_NOISY))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger(ATTEMPTS).setLevel(logging.INFO if attempts else logging.WARNING)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _text(value: Any) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
