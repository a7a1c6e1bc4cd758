"""Changes of records on `config`: checked by the reader that every worker has, written, acknowledged, told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

from streamer.adapters.kafka.appender import Appended
from streamer.cli.cluster import Installation, installation, kafka_errors
from streamer.cli.config_topic import Config, read_config, reading_as, write_config
from streamer.cli.console import USAGE, fail, print_json
from streamer.cli.policy_print import in_words, shown_fields, titled
from streamer.core.policy_merge import first_said, most_shards, said_limits
from streamer.wire.config_key import checked_name, key_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import ConfigRecord, decode_config, encode_config
from streamer.wire.policy_caps import check_caps
from streamer.wire.unreadable import UnreadableRecord

#: Stands for what is said of every domain: the record `default`.
EVERY_DOMAIN = "*"


@dataclass(frozen=True, slots=True)
class About:
    """What a command is about."""

    kind: Kind
    name: str

    @property
    def key(self) -> str:
        """The record's key."""
        return key_of(self.kind, self.name)


def about(kind: Kind, written: str) -> About:
    """Return what a name on the command line stands for; ends the command for none."""
    if kind is Kind.DOMAIN and written == EVERY_DOMAIN:
        return About(Kind.DEFAULT, "")
    try:
        return About(kind, checked_name(kind, written))
    except ValueError as error:
        fail(str(error), code=USAGE)


#: Returns the new fields of a record, None to remove it; notes for people go into the list.
Change = Callable[[Config, Mapping[str, Any], list[str]], dict[str, Any] | None]


def edit(ctx: typer.Context, bootstrap: str | None, target: About, change: Change, *, as_json: bool) -> None:
    """Read what stands, change it, check it, write it, and print what stands now."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        asyncio.run(_edit(place, target, change, as_json=as_json))


async def _edit(place: Installation, target: About, change: Change, *, as_json: bool) -> None:
    config = await read_config(place)
    before = config.stored.get(target.key)
    notes: list[str] = []
    fields = change(config, before.fields if before else {}, notes)
    shown = shown_fields(fields, place.masking) if fields else None
    if not fields and before is None and target.key not in config.broken:
        _tell(target, None, None, [*notes, "nothing was said of it"], as_json=as_json)
        return
    if before is not None and before.problem is None and fields == before.fields:
        _tell(target, shown, None, [*notes, "nothing changed"], as_json=as_json)
        return
    value = None
    if fields:
        value = encode_config(fields)
        _check(config, target, value)
    at = await write_config(place, target.key, value)
    _tell(target, shown, at, notes, as_json=as_json)


def _check(config: Config, target: About, value: bytes) -> None:
    place = config.place
    try:
        found = decode_config(target.key, value, reading_as(place))
        check_caps(found.policy, reading_as(place).limits)
        if found.policy.shards is not None:
            _check_shards(config, found)
    except UnreadableRecord as error:
        fail(error.reason, code=USAGE)


def _check_shards(config: Config, found: ConfigRecord) -> None:
    """Refuse more shards than there are calls at once, calls of the burst, or partitions."""
    book = config.book(found, without=key_of(found.kind, found.name))
    sources = book.of_lane(book.chain(found.name))
    said, asked = said_limits(sources, book.partitions), first_said(sources, "shards").value
    most, why = most_shards(said.rate.value, said.burst.value, said.concurrency.value, book.partitions)
    if asked > most:
        raise UnreadableRecord("shards", f"shards is {asked}; at most {most}, {why}, is allowed")


def _tell(
    target: About, shown: Mapping[str, Any] | None, at: Appended | None, notes: list[str], *, as_json: bool
) -> None:
    if as_json:
        where = None if at is None else f"{at.partition}:{at.offset}"
        print_json({"key": target.key, "record": shown, "at": where, "notes": notes})
        return
    said = in_words(shown) if shown else "nothing of its own; what is said more generally holds"
    typer.echo(f"{titled(target.kind, target.name)}: {said}")
    for note in notes:
        typer.echo(f"note: {note}")
