"""What stands on `config`: the newest good record of each key, whatever else is written there."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.policy import BreakerPolicy, Policy
from streamer.wire.config_record import Installation, encode_config
from streamer.wire.limits import DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the client library hands it out, as far as it is looked at."""

    key: bytes | None
    value: bytes | None
    offset: int = 0
    timestamp: int = 7


class Desk:
    """A state, with what it told others."""

    def __init__(self) -> None:
        self.meter = MemoryMeter()
        self.others: list[tuple[str, bytes | None, int]] = []
        self.state = ConfigState(
            Policy(concurrency=20),
            Installation(DEFAULT_LIMITS, BreakerPolicy()),
            4,
            self.meter,
            lambda key, value, at_ms: self.others.append((key, value, at_ms)),
        )

    def read(self, *records: tuple[str, bytes | None]) -> None:
        """Read records from the beginning of the log to its end."""
        self.state.begin()
        self.follow(*records)
        self.state.finish()
        self.state.renew()

    def follow(self, *records: tuple[str, bytes | None]) -> None:
        """Read records that were added."""
        for key, value in records:
            self.state.take(Record(key.encode(), value))
        self.state.renew()


def test_the_newest_record_of_a_key_holds_and_a_tombstone_removes_it() -> None:
    """Each kind finds its place in the book; a tombstone leaves what is said more generally."""
    desk = Desk()
    desk.read(
        ("default", encode_config({"concurrency": 9})),
        ("domain:a.test", encode_config({"concurrency": 1})),
        ("domain:a.test", encode_config({"concurrency": 2})),
        ("business:acme", encode_config({"weight": 3})),
        ("policy:slow", encode_config({"priority": 9})),
        ("rate_key:orders", encode_config({"rate": "1/s"})),
    )
    book = desk.state.book
    assert (book.lane("a.test").concurrency, book.lane("b.test").concurrency) == (2, 9)
    assert book.business("acme").weight == 3
    assert book.has_policy("slow")
    assert [limit.key for limit in book.shared("acme", None, "orders")] == ["rate_key:orders"]
    assert book.partitions == 4
    desk.follow(("domain:a.test", None), ("default", None), ("domain:never.test", None))
    assert desk.state.book.lane("a.test").concurrency == 20


def test_a_bad_record_changes_nothing() -> None:
    """What its key said before still holds; it is counted by its kind, and who never had a good one has none."""
    desk = Desk()
    desk.read(("domain:a.test", encode_config({"concurrency": 2})))
    book = desk.state.book
    desk.follow(
        ("domain:a.test", encode_config({"concurrency": 0})),
        ("domain:a.test", b"nonsense"),
        ("domain:A.test", encode_config({"concurrency": 5})),
        ("policy:slow", b"\xff"),
        ("tenant:acme", encode_config({})),
    )
    desk.state.take(Record(None, b"{}"))
    desk.state.take(Record(b"\xff", b"{}"))
    desk.state.renew()
    assert desk.state.book is book
    refused = {kind: desk.meter.counted("config_records_refused", kind) for kind in ("domain", "policy", "unknown")}
    assert refused == {"domain": 3, "policy": 1, "unknown": 3}


def test_a_bad_record_read_again_from_the_beginning_keeps_what_held() -> None:
    """Compaction may have removed the good record before it: the state remembers it."""
    desk = Desk()
    desk.read(("domain:a.test", encode_config({"concurrency": 2})))
    desk.read(("domain:a.test", b"nonsense"))
    assert desk.state.book.lane("a.test").concurrency == 2


def test_what_is_gone_when_the_log_is_read_again_is_dropped() -> None:
    """A tombstone may have been compacted away unseen: policies and the others' records end all the same."""
    desk = Desk()
    desk.read(("domain:a.test", encode_config({"concurrency": 2})), ("schedule:nightly", b"{}"))
    desk.read(("policy:slow", encode_config({})))
    assert desk.state.book.lane("a.test").concurrency == 20
    assert desk.state.book.has_policy("slow")
    assert desk.others == [("schedule:nightly", b"{}", 7), ("schedule:nightly", None, 0)]


def test_records_of_others_are_handed_on_in_order_and_make_no_new_book() -> None:
    """Schedules and their cursors are somebody else's: key, bytes or tombstone, and the record's time."""
    desk = Desk()
    desk.read()
    book = desk.state.book
    desk.follow(("schedule:nightly", b"1"), ("fired:nightly", b"2"), ("schedule:nightly", None))
    assert desk.others == [("schedule:nightly", b"1", 7), ("fired:nightly", b"2", 7), ("schedule:nightly", None, 7)]
    assert desk.state.book is book


def test_the_installations_caps_hold_for_what_is_read() -> None:
    """A policy that asks for more than a task may have gets what it may have."""
    desk = Desk()
    desk.read(("policy:slow", encode_config({"timeout": "1h", "retry": {"intervals": ["1s"] * 50}})))
    fill = desk.state.book.fill("a.test", "acme", "slow")
    assert fill.timeout_ms == DEFAULT_LIMITS.timeout_cap_ms
    assert fill.retry is not None
    assert len(fill.retry.intervals_ms or ()) == DEFAULT_LIMITS.retries
