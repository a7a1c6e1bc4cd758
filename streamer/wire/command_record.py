"""A command as ``control`` carries it: JSON, version 1, keyed by lane; people may write one.

``command_id``, ``verb``, ``task_id``, ``lane``, ``by`` and ``at`` are required; ``delivery`` (in its internal
form) is for every verb but cancel, which has none; ``expect_generation`` and ``force`` may be left out.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import orjson

from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.wire.delivery_record import delivery_of, encode_delivery
from streamer.wire.instants import format_instant, parse_instant
from streamer.wire.sealed import Sealer
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1

_NAMES = ("v", "command_id", "verb", "task_id", "lane", "expect_generation", "delivery", "by", "at", "force")
_VERBS = {verb.value: verb for verb in Verb}
_GENERATIONS = range(1, 1 << 31)
_LONGEST = 255


def encode_command(command: Command, sealer: Sealer | None = None) -> bytes:
    """Return the command as the record's value."""
    record: dict[str, Any] = {
        "v": VERSION,
        "command_id": command.command_id,
        "verb": command.verb,
        "task_id": command.task_id,
        "lane": command.lane,
        "by": command.by,
        "at": format_instant(command.at_ms),
    }
    if command.expect_generation is not None:
        record["expect_generation"] = command.expect_generation
    if command.force:
        record["force"] = True
    if command.delivery is not None:
        record["delivery"] = orjson.Fragment(encode_delivery(command.delivery, sealer))
    return orjson.dumps(record)


def decode_command(value: bytes | None, sealer: Sealer | None = None) -> Command:
    """Return the command; UnreadableRecord names the field and what is allowed."""
    try:
        record = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the command is no JSON: {error}") from None
    if type(record) is not dict:
        raise UnreadableRecord(None, "a command must be a JSON object")
    _check_names(record)
    verb = _VERBS.get(_text(record, "verb"))
    if verb is None:
        raise UnreadableRecord("verb", f"verb must be one of {', '.join(_VERBS)}")
    task_id = _text(record, "task_id")
    return Command(
        command_id=_text(record, "command_id"),
        verb=verb,
        task_id=task_id,
        lane=_text(record, "lane"),
        expect_generation=_generation(record),
        delivery=_delivery(record, verb, task_id, sealer),
        by=_text(record, "by"),
        at_ms=_at_ms(record),
        force=_force(record),
    )


def _check_names(record: dict[str, Any]) -> None:
    if record.get("v") != VERSION or record["v"] is True:
        raise UnreadableRecord("v", f"v must be {VERSION}")
    for name in record:
        if name not in _NAMES:
            near = get_close_matches(name[:60].lower(), _NAMES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_NAMES)}"
            raise UnreadableRecord(name[:60], f"{name[:60]} is no field of a command: {hint}")


def _text(record: dict[str, Any], field: str) -> str:
    text = record.get(field)
    if type(text) is not str or not 1 <= len(text) <= _LONGEST or not text.isprintable():
        raise UnreadableRecord(field, f"{field} must be text of 1 to {_LONGEST} printable characters")
    return text


def _generation(record: dict[str, Any]) -> int | None:
    generation = record.get("expect_generation")
    if generation is None:
        return None
    if type(generation) is not int or generation not in _GENERATIONS:
        raise UnreadableRecord("expect_generation", "expect_generation must be a whole number from 1")
    return generation


def _delivery(record: dict[str, Any], verb: Verb, task_id: str, sealer: Sealer | None) -> Delivery | None:
    raw = record.get("delivery")
    if verb is Verb.CANCEL:
        if raw is not None:
            raise UnreadableRecord("delivery", "delivery is for every verb but cancel")
        return None
    if raw is None:
        raise UnreadableRecord("delivery", f"delivery is required: {verb} carries the whole task as it shall go on")
    try:
        delivery = delivery_of(raw, sealer)
    except UnreadableRecord as error:
        raise UnreadableRecord(f"delivery.{error.field}" if error.field else "delivery", error.reason) from None
    if delivery.task_id != task_id:
        raise UnreadableRecord("delivery.t", "delivery must be of the task that task_id names")
    return delivery


def _at_ms(record: dict[str, Any]) -> int:
    try:
        return parse_instant(_text(record, "at"))
    except ValueError as error:
        raise UnreadableRecord("at", f"at {error}") from None


def _force(record: dict[str, Any]) -> bool:
    force = record.get("force", False)
    if type(force) is not bool:
        raise UnreadableRecord("force", "force must be true or false")
    return force
