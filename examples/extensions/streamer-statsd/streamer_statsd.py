"""Counts what happens to tasks in StatsD, over UDP."""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from streamer.extensions import Event, EventKind, Tools

#: What fits into one packet on the way through any network: Ethernet's 1,500 bytes, less the headers of IPv6 and UDP.
MOST_BYTES = 1_432
#: Fields of an event that may be tags.
TAGS = frozenset({"domain", "business", "outcome", "error_type", "status", "reason"})

#: What would end a name, a value or a tag.
_SPECIAL = re.compile(r"[:|@#,\s]")


class Statsd:
    """Sends a counter for each kind of event, and a timer for each attempt.

    From the environment: ``STATSD_ADDRESS``, ``127.0.0.1:8125`` where it is not set; ``STATSD_PREFIX``, ``streamer``; and
    ``STATSD_TAGS``, names of fields with blanks between them.
    """

    def __init__(self, tools: Tools) -> None:
        host, _, port = os.environ.get("STATSD_ADDRESS", "127.0.0.1:8125").rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError("STATSD_ADDRESS must be host:port")
        self._tags = os.environ.get("STATSD_TAGS", "").split()
        if unknown := sorted(set(self._tags) - TAGS):
            raise ValueError(f"STATSD_TAGS: {', '.join(unknown)}; allowed are {', '.join(sorted(TAGS))}")
        self._prefix = os.environ.get("STATSD_PREFIX", "streamer")
        # Looked up once: a name that cannot be found is told when the worker starts.
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        self._family, self._to = found[0], found[4]

    def told(self, events: Sequence[Event]) -> None:
        """Send what the events add up to."""
        with socket.socket(self._family, socket.SOCK_DGRAM) as out:
            for packet in packets(self._lines(events)):
                out.sendto(packet, self._to)

    def _lines(self, events: Sequence[Event]) -> Iterator[str]:
        counts = Counter((self._name(event), self._tagged(event)) for event in events)
        for (name, tags), count in counts.items():
            yield f"{name}:{count}|c{tags}"
        for event in events:
            if event.duration_ms is not None:
                yield f"{self._prefix}.attempt:{event.duration_ms:.3f}|ms{self._tagged(event)}"

    def _name(self, event: Event) -> str:
        kind = f"{event.kind}.{event.detail}" if event.kind is EventKind.BREAKER_CHANGED else event.kind
        return f"{self._prefix}.{kind}"

    def _tagged(self, event: Event) -> str:
        values = [(tag, getattr(event, tag)) for tag in self._tags]
        text = ",".join(f"{tag}:{_SPECIAL.sub('_', str(value))}" for tag, value in values if value not in (None, ""))
        return f"|#{text}" if text else ""


def packets(lines: Iterable[str]) -> Iterator[bytes]:
    """Yield the lines together, as many as fit into a packet."""
    packet = b""
    for line in lines:
        raw = line.encode()
        if packet and len(packet) + 1 + len(raw) > MOST_BYTES:
            yield packet
            packet = b""
        packet = packet + b"\n" + raw if packet else raw
    if packet:
        yield packet
