"""Listeners on threads of their own: what one that hangs, fails or is too slow loses, and that nobody else does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest

from streamer.adapters.extensions.listener_thread import MOST_AT_ONCE, MOST_WAITING, ListenerThread
from streamer.adapters.extensions.listeners import Listeners
from streamer.adapters.extensions.loader import Loaded
from streamer.adapters.memory.meter import MemoryMeter
from streamer.extensions import Event, EventKind, Listener
from tests.core.samples import NOW_MS
from tests.support.waiting import until


class Ear:
    """Keeps what it is told, batch by batch; while ``hold`` is cleared it hangs, and ``error`` is raised if there is one."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Event]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Event()
        self.error: BaseException | None = None
        self.threads: set[str] = set()

    def told(self, events: Sequence[Event]) -> None:
        self.threads.add(threading.current_thread().name)
        self.begun.set()
        assert self.hold.wait(10)
        if self.error is not None:
            raise self.error
        self.batches.append(events)

    @property
    def ids(self) -> list[str]:
        """The ids of all that it was told, in order."""
        return [event.id for batch in self.batches for event in batch]


def events(count: int, first: int = 0) -> list[Event]:
    return [Event(EventKind.ACCEPTED, f"evt_{first + number}", NOW_MS, "a.example") for number in range(count)]


def loaded(ear: Listener, name: str = "ear") -> Loaded[Listener]:
    return Loaded(name, "a-package 1.0", ear)


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.hold.set()


@pytest.fixture
def other() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.hold.set()


@pytest.fixture
def meter() -> MemoryMeter:
    return MemoryMeter()


@pytest.fixture
async def open_listeners(meter: MemoryMeter) -> AsyncIterator[Callable[..., Listeners]]:
    """Return what makes listeners of ears; their threads have ended when the test is over."""
    made: list[Listeners] = []

    def make(*ears: Ear) -> Listeners:
        made.append(Listeners([loaded(ear, f"ear-{at}") for at, ear in enumerate(ears)], meter))
        return made[-1]

    yield make
    for listeners in made:
        await listeners.close(0)


async def test_all_are_told_everything_in_order(open_listeners: Callable[..., Listeners], ear: Ear, other: Ear) -> None:
    """On a thread that has the listener's name, and in batches that are bounded."""
    listeners = open_listeners(ear, other)
    ear.hold.clear()
    listeners.hear(events(1))
    await until(ear.begun.is_set)
    for first in range(1, 1_499, 7):
        listeners.hear(events(7, first))
    ear.hold.set()
    everything = [f"evt_{number}" for number in range(1_499)]
    await until(lambda: len(ear.ids) >= 1_499 and len(other.ids) >= 1_499)
    assert ear.ids == other.ids == everything
    assert [len(batch) for batch in ear.batches] == [1, MOST_AT_ONCE, MOST_AT_ONCE, 498]
    assert (ear.threads, other.threads) == ({"listener ear-0"}, {"listener ear-1"})


async def test_one_that_hangs_holds_up_nobody_and_loses_the_oldest(
    open_listeners: Callable[..., Listeners], ear: Ear, other: Ear, meter: MemoryMeter, caplog: pytest.LogCaptureFixture
) -> None:
    """Up to 10,000 wait for it; beyond, the oldest go, counted under its name and named in the log once."""
    listeners = open_listeners(ear, other)
    ear.hold.clear()
    listeners.hear(events(1))
    await until(ear.begun.is_set)
    for first in range(1, 1 + MOST_WAITING + 2_000, 1_000):
        listeners.hear(events(1_000, first))
        await until(lambda: listeners.threads[1].waiting == 0)
    await until(lambda: len(other.ids) == 1 + MOST_WAITING + 2_000)
    assert listeners.threads[0].waiting == MOST_WAITING
    ear.hold.set()
    await until(lambda: len(ear.ids) == 1 + MOST_WAITING)
    assert ear.ids[:2] == ["evt_0", "evt_2001"]
    assert ear.ids[-1] == other.ids[-1] == f"evt_{MOST_WAITING + 2_000}"
    assert meter.counted("extension_events_dropped", "ear-0") == 2_000
    assert meter.counted("extension_events_dropped", "ear-1") == 0
    assert caplog.text.count("ear-0") == 1


@pytest.mark.parametrize("error", [ValueError("bad s3cret"), SystemExit(3), KeyboardInterrupt(), StopIteration()])
async def test_one_that_raises_loses_that_batch_alone(
    open_listeners: Callable[..., Listeners],
    ear: Ear,
    other: Ear,
    meter: MemoryMeter,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    """Whatever it raises, it is told what comes next, and the others are told everything."""
    listeners = open_listeners(ear, other)
    listeners.threads[0]._loaded.given["key"] = b"s3cret"
    ear.error = error
    listeners.hear(events(2))
    await until(lambda: meter.counted("extension_errors", "ear-0"))
    ear.error = None
    listeners.hear(events(1, 2))
    await until(lambda: ear.ids and len(other.ids) == 3)
    assert (ear.ids, other.ids) == (["evt_2"], ["evt_0", "evt_1", "evt_2"])
    (said,) = caplog.messages
    assert "2 events are lost to it: extension ear-0: " in said
    assert type(error).__name__ in said
    assert "s3cret" not in said


async def test_one_that_is_a_coroutine_is_told_so(meter: MemoryMeter, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody would run it: its events would be lost without a word."""

    class Awaited:
        async def told(self, events: Sequence[Event]) -> None:
            """Do nothing, ever."""

    thread = ListenerThread(Loaded("awaited", "a-package 1.0", Awaited()), meter)  # type: ignore[arg-type]
    thread.put(events(1))
    await until(lambda: meter.counted("extension_errors", "awaited"))
    thread.close()
    thread.join(5)
    assert "extension awaited: told must be a plain method" in caplog.text


async def test_one_that_always_raises_is_named_once_a_minute(
    ear: Ear, meter: MemoryMeter, caplog: pytest.LogCaptureFixture
) -> None:
    """Every failure is counted; the log is not filled."""
    now = [0.0]
    thread = ListenerThread(loaded(ear), meter, monotonic=lambda: now[0])
    ear.error = ValueError("always")
    for count, at_s in enumerate((0, 1, 59, 61, 62, 130), start=1):
        now[0] = float(at_s)
        thread.put(events(1))
        await until(lambda: meter.counted("extension_errors", "ear") == count and not thread.waiting)  # noqa: B023
    thread.close()
    thread.join(5)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 3


async def test_at_the_end_what_waits_is_told(open_listeners: Callable[..., Listeners], ear: Ear) -> None:
    """And nothing that comes after it; the thread ends."""
    listeners = open_listeners(ear)
    ear.hold.clear()
    listeners.hear(events(1_200))
    await until(ear.begun.is_set)
    ear.hold.set()
    await listeners.close()
    listeners.hear(events(1, 1_200))
    assert ear.ids == [f"evt_{number}" for number in range(1_200)]
    assert listeners.threads[0].waiting == 0
    await until(lambda: "listener ear-0" not in {thread.name for thread in threading.enumerate()})


async def test_the_end_does_not_wait_for_one_that_hangs(
    open_listeners: Callable[..., Listeners], ear: Ear, other: Ear, meter: MemoryMeter
) -> None:
    """The others are told what waits all the same; what it leaves is counted, and its thread keeps no process alive."""
    listeners = open_listeners(ear, other)
    ear.hold.clear()
    listeners.hear(events(1))
    await until(ear.begun.is_set)
    listeners.hear(events(5, 1))
    before = time.monotonic()
    await listeners.close(0.2)
    assert time.monotonic() - before < 2
    assert len(other.ids) == 6
    assert meter.counted("extension_events_dropped", "ear-0") == 5
    assert all(thread._thread.daemon for thread in listeners.threads)
