"""A machine's clock beside the broker's: measured, judged, told (C6)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streamer.adapters.kafka.broker_clock import BrokerClock
from streamer.adapters.kafka.clock_watch import ClockWatch
from streamer.adapters.kafka.topics import create_missing
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.system import SystemClock
from streamer.wire.topics import Role, Topics, TopicSpec
from tests.adapters.kafka.support import records_of
from tests.support.broker import RunningKafka, delete_topics


class Told:
    """A broker's clock as a test sets it; None is a topic that keeps producers' times, no value a broker that is away."""

    topic = "t.lanes"

    def __init__(self, *skews_ms: int | None) -> None:
        self.closed = False
        self._skews_ms = list(skews_ms)

    async def skew_ms(self) -> int | None:
        """Return the next."""
        if not self._skews_ms:
            raise TimeoutError("not acknowledged")
        return self._skews_ms.pop(0)

    async def close(self) -> None:
        """Note it."""
        self.closed = True


class Ahead:
    """The machine's clock, put ahead."""

    def __init__(self, ahead_ms: int) -> None:
        self._ahead_ms = ahead_ms
        self._clock = SystemClock()
        self.monotonic_ms, self.sleep_ms = self._clock.monotonic_ms, self._clock.sleep_ms

    def now_ms(self) -> int:
        """Return the wall clock as it is put."""
        return self._clock.now_ms() + self._ahead_ms


def watch(*skews_ms: int | None, allowed_ms: int = 2_000) -> ClockWatch:
    """Return a watch that will find these, one a look."""
    return ClockWatch(Told(*skews_ms), PrometheusMeter(), allowed_ms)


@pytest.mark.parametrize("ahead_ms", [0, 2_000, -2_000])
async def test_clocks_that_agree_let_a_worker_start_and_be_ready(ahead_ms: int) -> None:
    """What is allowed is no fault."""
    found = watch(ahead_ms)
    assert await found.refusal() is None
    assert found.agrees.is_set()


@pytest.mark.parametrize(
    ("ahead_ms", "words"),
    [
        (60_001, "is 60.0 s ahead of the broker's, more than 60 s: due tasks would be sent that much too early"),
        (-90_000, "is 90.0 s behind the broker's, more than 60 s: due tasks would be sent that much too late"),
    ],
)
async def test_a_clock_that_is_a_minute_off_refuses_the_start(ahead_ms: int, words: str) -> None:
    """The sentence says which way, by how much, what it would do, and how to start all the same."""
    found = watch(ahead_ms)
    refusal = await found.refusal()
    assert refusal is not None
    assert words in refusal
    assert "worker.clock_skew to 0s" in refusal
    assert not found.agrees.is_set()


async def test_a_clock_that_is_off_keeps_a_worker_from_being_ready_until_it_is_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It starts, is not ready and says so once a minute; when the clocks agree again it is ready."""
    caplog.set_level(logging.INFO)
    found = watch(-5_000, *[-5_000] * 6, 100)
    assert await found.refusal() is None
    for _ in range(6):
        await found._look()
    assert not found.agrees.is_set()
    assert found._meter.registry.get_sample_value("streamer_clock_skew_seconds") == -5
    await found._look()
    assert found.agrees.is_set()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 2
    assert "5.0 s behind the broker's, more than worker.clock_skew (2 s)" in errors[0]
    assert "again no further off" in caplog.text


async def test_what_cannot_be_known_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a topic that keeps producers' times nor a broker that does not answer; the first is said once."""
    without, away = watch(None, None), watch()
    assert (await without.refusal(), await away.refusal()) == (None, None)
    await without._look()
    assert without.agrees.is_set()
    assert away.agrees.is_set()
    assert caplog.text.count("topic t.lanes keeps producers' times") == 1


async def test_a_broker_that_goes_away_makes_no_clock_right() -> None:
    """What was found last holds until it is measured again."""
    found = watch(5_000)
    assert await found.refusal() is None
    await found._look()
    assert not found.agrees.is_set()


async def test_nobody_looks_where_the_setting_says_so() -> None:
    """The worker is as ready as the rest of it, and the watch, a part of it, lasts as long; then it closes what it has."""
    told = Told(90_000)
    found = ClockWatch(told, PrometheusMeter(), 0, look_s=0)
    assert await found.refusal() is None
    assert found.agrees.is_set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(found.run(), 0.05)
    assert await told.skew_ms() == 90_000
    assert told.closed


@pytest.mark.broker
@pytest.mark.parametrize("ahead_ms", [0, 90_000, -90_000])
async def test_the_brokers_clock_is_read_from_an_acknowledgement(
    kafka: RunningKafka, topics: Topics, ahead_ms: int
) -> None:
    """The record is a tombstone on lanes, which tells its readers nothing."""
    clock = BrokerClock({"bootstrap_servers": kafka.bootstrap}, topics.lanes, Ahead(ahead_ms))
    found = [await clock.skew_ms() for _ in range(2)]
    await clock.close()
    # The second exchange has its connection already; both are short of the truth by what the exchange took at most.
    assert found[1] is not None
    assert abs(found[1] - ahead_ms) < 1_000
    written = await records_of(kafka.bootstrap, [topics.lanes])
    assert [record.value for record in written] == [None, None]


@pytest.mark.broker
async def test_a_topic_that_keeps_producers_times_tells_nothing(kafka: RunningKafka, topic_prefix: str) -> None:
    """The acknowledgement has no time then, and none is guessed."""
    spec = TopicSpec(f"{topic_prefix}lanes", Role.LANES, 1, None, 1_000_000)
    names = await create_missing(kafka.bootstrap, [spec])
    clock = BrokerClock({"bootstrap_servers": kafka.bootstrap}, spec.name, SystemClock())
    assert await clock.skew_ms() is None
    await clock.close()
    await delete_topics(kafka.bootstrap, names)


async def test_a_broker_that_does_not_answer_is_not_waited_for() -> None:
    """One try, and then it is not known."""
    clock = BrokerClock({"bootstrap_servers": "127.0.0.1:1"}, "t.lanes", SystemClock())
    with pytest.raises(TimeoutError, match="not acknowledged within 5 s"):
        await clock.skew_ms()
    await clock.close()
