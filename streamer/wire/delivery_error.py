"""Says for people why a delivery record is refused: the field, and what it must be."""

from __future__ import annotations

from typing import Any

from msgspec import inspect

from streamer.core.delivery import Why
from streamer.wire.delivery_fields import VERSION, DeliveryFields
from streamer.wire.unreadable import UnreadableRecord

_KINDS: dict[type, type] = {
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.EnumType: str,
    inspect.BoolType: bool,
    inspect.TupleType: list,
    inspect.VarTupleType: list,
    inspect.RawType: list,
}
_PARSED: Any = inspect.type_info(DeliveryFields)
_FIELDS = {field.encode_name: _KINDS[type(field.type)] for field in _PARSED.fields}
_REQUIRED = tuple([field.encode_name for field in _PARSED.fields if field.required])
_RANGES = {
    field.encode_name: range(field.type.ge, field.type.le + 1)
    for field in _PARSED.fields
    if _FIELDS[field.encode_name] is int
}
_ORIGIN = [str, int, int, int]
_PARTITION, _OFFSET, _TIMESTAMP = range(1 << 16), range(1 << 48), range(-(1 << 63), 1 << 63)
_WHYS = tuple([why.value for why in Why])


def check_delivery(record: dict[str, Any]) -> None:
    """Refuse the first field that is not what it must be; a record that is not refused can be parsed."""
    if record.get("v") != VERSION:
        raise UnreadableRecord("v", f"v must be {VERSION}; another release of Streamer may have written it")
    for name, item in record.items():
        _check_kind(name, item)
    for name in _REQUIRED:
        if name not in record:
            raise UnreadableRecord(name, f"{name} is missing from the delivery")
    _check_origin(record["o"])
    for name in ("h", "md"):
        _check_pairs(name, record.get(name, ()))
    if not all(type(item) is str for item in record.get("sc", ())):
        raise UnreadableRecord("sc", "sc must be a list of status codes as text")
    if record.get("w", _WHYS[0]) not in _WHYS:
        raise UnreadableRecord("w", f"w must be one of {', '.join(_WHYS)}")


def _check_kind(name: str, item: Any) -> None:
    allowed = _FIELDS.get(name)
    if allowed is None:
        raise UnreadableRecord(name[:60], f"{name[:60]} is no field of a delivery of version {VERSION}")
    if type(item) is not allowed:
        raise UnreadableRecord(name, f"{name} must be of type {allowed.__name__}")
    if name in _RANGES and item not in _RANGES[name]:
        bounds = _RANGES[name]
        raise UnreadableRecord(name, f"{name} must be from {bounds.start} to {bounds.stop - 1}")


def _check_origin(raw: list[Any]) -> None:
    if list(map(type, raw)) != _ORIGIN:
        raise UnreadableRecord("o", "o must be [topic, partition, offset, timestamp]")
    if raw[1] not in _PARTITION or raw[2] not in _OFFSET or raw[3] not in _TIMESTAMP:
        raise UnreadableRecord(
            "o", "o must have a partition below 2^16, an offset below 2^48 and a timestamp of 64 bits"
        )


def _check_pairs(field: str, raw: list[Any]) -> None:
    for pair in raw:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str or type(pair[1]) is not str:
            raise UnreadableRecord(field, f"{field} must be a list of [name, value] pairs of text")
