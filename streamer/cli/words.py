"""Reading and writing of the small texts that several commands share: instants, rates, cells of a table."""

from __future__ import annotations

import re
from typing import Any

from streamer.core.duration import parse_duration_ms
from streamer.core.lane_key import lane_key
from streamer.wire.instants import parse_instant

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:/(s|m|h))?\Z")
_PER_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def since_ms(text: str | None, now_ms: int) -> int | None:
    """Return the instant that "10m" (ago) or an RFC 3339 instant names; ValueError says what is allowed."""
    if text is None:
        return None
    if "-" in text:
        return parse_instant(text)
    return now_ms - parse_duration_ms(text)


def rate_per_s(text: str) -> float:
    """Return a rate a second from "10/s", "100/m" or "10"; ValueError says what is allowed."""
    match = _RATE.match(text.strip())
    rate = float(match[1]) / _PER_S[match[2] or "s"] if match else 0.0
    if rate <= 0:
        raise ValueError(f'{text!r} is no rate: write for example "10/s", "100/m" or "50/h"')
    return rate


def lane_of(domain: str) -> str:
    """Return the lane that a domain names; a port that is not the scheme's own is part of it. ValueError if none."""
    return lane_key(domain if "://" in domain else f"https://{domain}")


def cell(text: Any) -> str:
    """Return a text for one line of a terminal: a peer's control characters could move the cursor or worse."""
    return "".join(char if char.isprintable() else "�" for char in ("" if text is None else str(text)))


def because(why: Any) -> str:
    """Return the why of a result in a few words: the reason, the rule, and the detail where there is one."""
    if not isinstance(why, dict):
        return ""
    reason, rule, detail = why.get("reason"), why.get("rule"), why.get("detail")
    text = str(reason or rule or "")
    if reason and rule and rule != reason:
        text += f" ({rule})"
    return f"{text}: {detail}" if detail else text
