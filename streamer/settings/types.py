"""Types of settings: durations with a unit, lists in one line, codes, and the base of every section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator

from streamer.core.byte_size import format_byte_size, parse_byte_size
from streamer.core.codes import parse_codes
from streamer.core.duration import format_duration, parse_duration_ms
from streamer.core.rate import Rate, parse_rate

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")


class Section(BaseModel):
    """A table of settings: frozen, and closed to keys it does not know."""

    # hide_input_in_errors: a value that was refused may be a secret in the wrong place.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, populate_by_name=True
    )


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time; who uses it says in which unit."""

    ms: int

    @property
    def s(self) -> float:
        """The same span in seconds."""
        return self.ms / 1_000

    def __str__(self) -> str:
        """Write it as people do: "1h30m"."""
        return format_duration(self.ms)


@dataclass(frozen=True, slots=True, order=True)
class ByteSize:
    """An amount of memory."""

    bytes: int

    def __str__(self) -> str:
        """Write it as people do: "512MiB"."""
        return format_byte_size(self.bytes)


def _byte_size(value: Any) -> ByteSize:
    return value if isinstance(value, ByteSize) else ByteSize(parse_byte_size(value))


def _duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str):
        # A bare number would be seconds to some and ms to others.
        raise ValueError(f'{value!r} has no unit: write for example "30s"')
    return Duration(parse_duration_ms(value))


def _rate(value: Any) -> Rate:
    if isinstance(value, Rate):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no rate: write for example "10/s"')
    return parse_rate(value)


def _split(value: Any) -> Any:
    """Take "5s 10s, 30s" for a list: the environment and flags have no other way to write one."""
    return [item for item in re.split(r"[,\s]+", value) if item] if isinstance(value, str) else value


def _codes(value: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return tuple(int(item) if item.isdigit() else item for item in parse_codes(value).text)


def _network(value: str) -> str:
    return str(ip_network(value, strict=False))


def _host(value: str) -> str:
    name = value.lower().removesuffix(".")
    if not _HOST.fullmatch(name):
        raise ValueError(
            f'{value!r} is no host: write a name without a port, or "*.example.com" for all names below one'
        )
    return name


def none_if_empty(value: Any) -> Any:
    """Read an empty text as "none", for settings that may have no value."""
    return None if value == "" else value


DurationField = Annotated[Duration, PlainValidator(_duration), PlainSerializer(str)]
OptionalDuration = Annotated[DurationField | None, BeforeValidator(none_if_empty)]
OptionalByteSize = Annotated[
    Annotated[ByteSize, PlainValidator(_byte_size), PlainSerializer(str)] | None, BeforeValidator(none_if_empty)
]
Durations = Annotated[tuple[DurationField, ...], BeforeValidator(_split)]
Codes = Annotated[tuple[int | str, ...], AfterValidator(_codes), BeforeValidator(_split)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], BeforeValidator(_split)]
Ports = Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], BeforeValidator(_split)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_split)]
OptionalRate = Annotated[
    Annotated[Rate, PlainValidator(_rate), PlainSerializer(str)] | None, BeforeValidator(none_if_empty)
]
OptionalCount = Annotated[int | None, BeforeValidator(none_if_empty)]
#: TOML has no null: an empty text says "none".
OptionalText = Annotated[str | None, BeforeValidator(none_if_empty)]


def durations(text: str) -> tuple[Duration, ...]:
    """Read a list of durations written in one line."""
    return tuple(_duration(item) for item in text.split())
