"""A dead letter for people and programs: one line of a list, or the whole of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamer.cli.letters import Letter
from streamer.cli.words import cell
from streamer.core.request import Request
from streamer.wire.body_text import body_text, to_base64
from streamer.wire.instants import format_instant
from streamer.wire.masking import USUAL, Masking
from streamer.wire.request_mask import masked_record
from streamer.wire.result_mask import masked_result

COLUMNS = ("at", "place", "task", "generation", "domain", "reason", "last", "note")


def line_of(letter: Letter) -> dict[str, Any]:
    """Return the facts of one line, fit for JSON."""
    content = letter.content
    if content is None:
        kind, reason = "unreadable", letter.problem
        result: Mapping[str, Any] = {}
    else:
        kind, reason, result = content.kind, content.reason, content.result or {}
    return {
        "at": format_instant(content.at_ms if content else letter.timestamp_ms),
        "partition": letter.partition,
        "offset": letter.offset,
        "kind": kind,
        "task_id": letter.task_id,
        "generation": letter.generation or None,
        "domain": content.lane if content else None,
        "reason": reason,
        "field": content.field if content else None,
        "outcome": result.get("outcome"),
        "status": result.get("status"),
        "note": None if content and content.delivery else "cannot be replayed",
    }


def row_of(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line's cells."""
    place = f"{line['partition']}:{line['offset']}"
    last = line["status"] or line["outcome"]
    task = line["task_id"] or f"({line['kind']})"
    return tuple(
        cell(text)
        for text in (line["at"], place, task, line["generation"], line["domain"], line["reason"], last, line["note"])
    )


def whole(letter: Letter, note: str | None, masking: Masking = USUAL) -> dict[str, Any]:
    """Return all there is to show, secret header values, URL parameters and fields masked."""
    shown = {name: value for name, value in line_of(letter).items() if value is not None}
    if note is not None:
        shown["note"] = note
    content = letter.content
    if content is None:
        return shown
    origin = content.origin
    shown["origin"] = f"{origin.topic} {origin.partition}:{origin.offset} at {format_instant(origin.timestamp_ms)}"
    if (delivery := content.delivery) is not None:
        shown |= {"business": delivery.business, "attempts": delivery.attempt}
        if delivery.business_id is not None:
            shown["business_id"] = delivery.business_id
        shown["request"] = shown_request(delivery.request, masking)
        shown["result"] = content.result and masked_result(content.result, masking)
        return shown
    value = content.value and masked_record(content.value, masking)
    for name, raw in (("key", content.key), ("value", value)):
        if raw is not None:
            shown |= _bytes(name, raw)
    if content.truncated:
        shown["truncated"] = True
    if content.headers:
        shown["headers"] = [{"name": name, **_kafka_value(name, raw, masking)} for name, raw in content.headers]
    return shown


def as_text(shown: Mapping[str, Any]) -> str:
    """Return the same for people: a fact a line, and what has parts as indented JSON."""
    lines = []
    for name, value in shown.items():
        if isinstance(value, dict | list):
            # JSON escapes control characters itself, and the indentation is worth keeping.
            text = json.dumps(value, ensure_ascii=False, indent=2)
            lines.append(f"{name}: " + "\n".join(cell(line) for line in text.splitlines()))
        else:
            lines.append(f"{name}: {cell(value)}")
    return "\n".join(lines) + "\n"


def shown_request(request: Request, masking: Masking = USUAL) -> dict[str, Any]:
    """Return a request as people may see it, secret header values, URL parameters and fields masked."""
    shown: dict[str, Any] = {
        "method": request.method,
        "url": masking.shown_url(request.url),
        "headers": [list(pair) for pair in masking.shown_headers(request.headers)],
        "timeout_ms": request.timeout_ms,
        "priority": request.priority,
    }
    if request.body:
        shown |= _bytes("body", masking.shown_body(request.body))
    if request.metadata:
        shown["metadata"] = dict(request.metadata)
    return shown


def _kafka_value(name: str, raw: bytes, masking: Masking) -> dict[str, str]:
    """Return a Kafka header's value; one that bears the name of a secret is taken for one."""
    text = body_text(raw)
    return _bytes("value", raw) if text is None else {"value": masking.shown_headers([(name, text)])[0][1]}


def _bytes(name: str, raw: bytes) -> dict[str, str]:
    text = body_text(raw)
    return {name: text} if text is not None else {f"{name}_base64": to_base64(raw)}
