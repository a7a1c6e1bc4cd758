"""An operator's pause of a domain: how it is set and ended among the pauses that are said more generally."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.cli.config_topic import Config
from streamer.cli.console import USAGE, fail
from streamer.cli.policy_edit import About, Change
from streamer.cli.policy_print import titled
from streamer.core.domain_name import wildcards_of
from streamer.core.duration import parse_duration_ms
from streamer.core.policy_merge import said_limits
from streamer.wire.config_model import Kind
from streamer.wire.instants import format_instant, parse_instant


def paused(target: About, until: str | None, for_: str | None, now_ms: int) -> Change:
    """Return the change that pauses a domain, until an instant, for a while or until it is resumed."""
    instant = _instant(until, for_, now_ms)

    def change(config: Config, before: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
        notes += [
            f"{name} goes on: its own record says that it is not paused"
            for name, stored in config.of_kind(Kind.DOMAIN).items()
            if stored.record.policy.paused_until_ms == 0 and name != target.name and _covers(target, name)
        ]
        return {**before, "paused": True if instant is None else instant}

    return change


def resumed(target: About, now_ms: int) -> Change:
    """Return the change that ends a domain's pause; where others pause it too, its record says that it goes on."""

    def change(config: Config, before: Mapping[str, Any], notes: list[str]) -> dict[str, Any] | None:
        fields = {name: value for name, value in before.items() if name != "paused"}
        book = config.book(without=target.key)
        others = said_limits(book.of_lane(book.chain(target.name)), book.partitions).paused_until_ms
        # Only then: a record that says so would outlast the next pause of all.
        if others.value > now_ms:
            notes.append(f"{others.origin} is paused; {titled(target.kind, target.name)} goes on all the same")
            fields["paused"] = False
        return fields or None

    return change


def _covers(target: About, domain: str) -> bool:
    return target.kind is Kind.DEFAULT or target.name in wildcards_of(domain)


def _instant(until: str | None, for_: str | None, now_ms: int) -> str | None:
    if until is not None and for_ is not None:
        fail("give --until or --for, not both", code=USAGE)
    try:
        if for_ is not None:
            return format_instant(now_ms + parse_duration_ms(for_))
        if until is None:
            return None
        at_ms = parse_instant(until)
    except ValueError as error:
        fail(f"{'--for:' if for_ is not None else '--until'} {error}", code=USAGE)
    if at_ms <= now_ms:
        fail(f"--until {until} is past", code=USAGE)
    return format_instant(at_ms)
