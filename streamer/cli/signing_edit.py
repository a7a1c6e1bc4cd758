"""Changes of the keys that calls are signed with: a new one first, and an end for those that it takes the place of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.cli.config_topic import Config
from streamer.cli.console import USAGE, fail
from streamer.cli.policy_edit import Change
from streamer.core.domain_name import parse_domain
from streamer.core.duration import parse_duration_ms
from streamer.wire.instants import format_instant, parse_instant


def signed_with(
    secret: str, *, overlap: str, until: str | None, domain: str | None, keys_only: bool, now_ms: int
) -> Change:
    """Return the change that signs with a secret from now on, beside the older ones until the overlap is over.

    Only keys for the same domain are older ones: another domain's go on. Keys whose end has passed are taken away.
    """
    end_ms = now_ms + _overlap_ms(overlap)
    key = {"secret": secret, "until": _until(until, now_ms), "domain": _domain(domain)}
    new = {name: value for name, value in key.items() if value is not None}

    def change(_config: Config, before: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
        keys = [new]
        for old in before.get("signing") or ():
            kept = old if old.get("domain") != new.get("domain") else _ending(old, new, end_ms, now_ms)
            if kept is None or _end_ms(kept) <= now_ms:
                notes.append(f"{old['secret']}{_where(old)} signs no more")
            elif kept != new:
                keys.append(kept)
                notes.append(f"{kept['secret']}{_where(kept)} signs {_till(kept)}, beside {secret}{_where(new)}")
        fields = {**before, "signing": keys}
        return fields if keys_only else {**fields, "sign": True}

    return change


def _ending(old: Mapping[str, Any], new: Mapping[str, Any], end_ms: int, now_ms: int) -> dict[str, Any] | None:
    """Return an older key with its end; None for one that ends at once, and the new one for the same secret's."""
    if old["secret"] == new["secret"]:
        return dict(new)
    if end_ms <= now_ms:
        return None
    return dict(old) if _end_ms(old) <= end_ms else {**old, "until": format_instant(end_ms)}


def _end_ms(key: Mapping[str, Any]) -> float:
    return parse_instant(key["until"]) if key.get("until") is not None else float("inf")


def _till(key: Mapping[str, Any]) -> str:
    return f"until {key['until']}" if key.get("until") is not None else "without an end"


def _where(key: Mapping[str, Any]) -> str:
    return f" for {key['domain']}" if key.get("domain") is not None else ""


def _overlap_ms(overlap: str) -> int:
    try:
        return parse_duration_ms(overlap)
    except ValueError as error:
        fail(f"--overlap: {error}", code=USAGE)


def _until(until: str | None, now_ms: int) -> str | None:
    if until is None:
        return None
    try:
        at_ms = parse_instant(until)
    except ValueError as error:
        fail(f"--until {error}", code=USAGE)
    if at_ms <= now_ms:
        fail(f"--until {until} is past", code=USAGE)
    return format_instant(at_ms)


def _domain(domain: str | None) -> str | None:
    if domain is None:
        return None
    try:
        return parse_domain(domain)
    except ValueError as error:
        fail(f"--domain: {error}", code=USAGE)
