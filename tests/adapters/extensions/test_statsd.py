"""The example of a listener: what it sends to StatsD, and what it says of settings that are wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.adapters.extensions.loader import ExtensionError, load
from streamer.extensions import Event, EventKind, Listener
from tests.core.samples import NOW_MS
from tests.support.packages import install_example


@pytest.fixture
def installed_statsd(site: Path) -> None:
    """Install the package in a folder of the test's own."""
    install_example(site, "streamer-statsd")


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Stand for StatsD, at the address that the environment names."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        monkeypatch.setenv("STATSD_ADDRESS", "{}:{}".format(*server.getsockname()))
        yield server


async def no_secret(name: str) -> bytes:
    raise LookupError(name)


def the_listener() -> Listener:
    (loaded,) = load(["statsd"], no_secret).listeners
    return loaded.object


def an_event(kind: EventKind, *, number: int = 0, detail: str | None = None, duration_ms: float | None = None) -> Event:
    return Event(
        kind, f"evt_{number}", NOW_MS, "api.example:8443", business="acme", detail=detail, duration_ms=duration_ms
    )


EVENTS = [
    an_event(EventKind.ACCEPTED),
    an_event(EventKind.ACCEPTED, number=1),
    an_event(EventKind.SUCCEEDED, duration_ms=12.3456),
    an_event(EventKind.BREAKER_CHANGED, detail="open"),
]


@pytest.mark.usefixtures("installed_statsd")
def test_events_become_counters_and_timers(statsd: socket.socket) -> None:
    """One packet has all that fits; a kind that happened twice is counted in one line."""
    the_listener().told(EVENTS)
    assert statsd.recv(65_536).decode().splitlines() == [
        "streamer.accepted:2|c",
        "streamer.succeeded:1|c",
        "streamer.breaker_changed.open:1|c",
        "streamer.attempt:12.346|ms",
    ]


@pytest.mark.usefixtures("installed_statsd")
def test_tags_and_prefix_are_as_the_environment_says(statsd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that would end the tag is changed; a field that does not apply is left out."""
    monkeypatch.setenv("STATSD_TAGS", "domain business status")
    monkeypatch.setenv("STATSD_PREFIX", "hooks")
    the_listener().told(EVENTS[:1])
    assert statsd.recv(65_536) == b"hooks.accepted:1|c|#domain:api.example_8443,business:acme"


@pytest.mark.usefixtures("installed_statsd")
def test_what_does_not_fit_is_sent_in_more_packets(statsd: socket.socket) -> None:
    """Each of whole lines, and short enough for any network."""
    the_listener().told([an_event(EventKind.SUCCEEDED, number=number, duration_ms=number) for number in range(200)])
    lines: list[str] = []
    while len(lines) < 201:
        packet = statsd.recv(65_536)
        assert len(packet) <= 1_432
        lines += packet.decode().splitlines()
    assert lines == ["streamer.succeeded:200|c", *(f"streamer.attempt:{number}.000|ms" for number in range(200))]


@pytest.mark.usefixtures("installed_statsd")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STATSD_ADDRESS", "localhost", "STATSD_ADDRESS must be host:port"),
        ("STATSD_TAGS", "url", "STATSD_TAGS: url; allowed are business, domain"),
    ],
)
def test_wrong_settings_are_told_at_the_start(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker would refuse to start, with the extension's name and its package."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ExtensionError, match=rf"statsd \(streamer\.listeners, streamer-statsd 0\.1\.0\).*{said}"):
        the_listener()
