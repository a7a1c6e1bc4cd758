"""What `streamer up` sends: a dozen records at the start that show each way a task can go, then one a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

_SHORT = {"intervals": ["1s", "2s", "5s"]}


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """One record for `requests`, and what is to be seen when it is delivered."""

    what: str
    value: bytes


def opening(base_url: str, number: int) -> list[DemoRecord]:
    """Return the first records; ``number`` tells runs apart, whose business ids are remembered for days."""
    invoice = f"invoice-{number}"
    twice = {"url": f"{base_url}/ok", "business": "acme", "business_id": invoice, "json": {"invoice": invoice}}
    return [
        _record("delivered at once", url=f"{base_url}/ok", json={"order": 1, "state": "paid"}),
        _record("delivered at once", url=f"{base_url}/ok", method="PUT", body="plain text"),
        _record("sent twice with one business id, delivered once", **twice),
        _record("sent twice with one business id, delivered once", **twice),
        _record("fails now and then: tried again", url=f"{base_url}/flaky", json={"n": 1}, retry=_SHORT),
        _record("fails now and then: tried again", url=f"{base_url}/flaky", json={"n": 2}, retry=_SHORT),
        _record("fails now and then: tried again", url=f"{base_url}/flaky", json={"n": 3}, retry=_SHORT),
        _record("answered after 2 s, and nobody else waits for it", url=f"{base_url}/slow", json={"n": 1}),
        _record("a dead target: 1 s, 2 s, 5 s, dead letter", url=f"{base_url}/down", json={"n": 1}, retry=_SHORT),
        _record("404 is fatal: dead letter at once", url=f"{base_url}/nowhere", json={"n": 1}),
        _record("an invalid record: dead letter with its bytes", url="ftp://example.com/", json={"n": 1}),
        _record("scheduled: delivered in 10 s", url=f"{base_url}/ok", json={"n": 2}, delay="10s"),
    ]


def trickle(base_url: str) -> Iterator[DemoRecord]:
    """Yield records without an end: most go well, some of them only in the end."""
    for number in count(1):
        if number % 20 == 0:
            path = "/down"
        elif number % 7 == 0:
            path = "/slow"
        else:
            path = "/flaky" if number % 3 == 0 else "/ok"
        yield _record("trickle", url=base_url + path, json={"tick": number}, retry=_SHORT)


def _record(what: str, **record: Any) -> DemoRecord:
    return DemoRecord(what, json.dumps(record).encode())
