"""Says aloud which faults of ours a worker meets, each with the task and the trace of the record that met it.

An error's own words may hold what a request holds: a line names the error's class and where it was raised, and the words
stand in the task's result, masked.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from streamer.core.command import Command
from streamer.core.delivery import Delivery, trace_id_of
from streamer.flow.owned import Work

log = logging.getLogger(__name__)

_FRAME = re.compile(r'  File "(?:.*/)?([^"/]+/[^"/]+)", line (\d+), in ')
_CLASS = re.compile(r"[\w.]+")


def tell_fault(work: Work, trace: str) -> None:
    """Log an unexpected error, ``trace`` being its traceback as text."""
    log.error("a fault of ours", extra={"fields": {**_about(work), **_place(trace)}})


def tell_unwritten(work: Work, error: Exception, again_ms: int) -> None:
    """Log that what a record came to cannot be written."""
    log.error("a settlement cannot be written; tried again in %s ms", again_ms, exc_info=error, extra=about(work))


def about(work: Work) -> dict[str, Any]:
    """Return what a log line about a record says beside its words, as ``extra`` of a call of the log."""
    return {"fields": _about(work)}


def _about(work: Work) -> dict[str, Any]:
    item, fields = work.item, {"record": f"{work.source} {work.owned.number}:{work.offset}"}
    delivery = item.delivery if isinstance(item, Command) else item
    if isinstance(item, Delivery | Command):
        fields |= {"task_id": item.task_id, "domain": item.lane}
    if isinstance(delivery, Delivery):
        fields |= {"trace_id": trace_id_of(delivery), "business": delivery.business}
    return fields


def _place(trace: str) -> dict[str, str]:
    """Return the class of the error at a traceback's end, and the line of ours that raised it."""
    lines = trace.splitlines()
    last = max((number for number, line in enumerate(lines) if _FRAME.match(line)), default=-1)
    frame = _FRAME.match(lines[last]) if last >= 0 else None
    kind = next((found[0] for line in lines[last + 1 :] if (found := _CLASS.match(line))), "unknown")
    return {"error": kind} if frame is None else {"error": kind, "raised_at": f"{frame[1]}:{frame[2]}"}
