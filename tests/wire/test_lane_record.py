"""Figures of lanes and signals between shards as records: what is written is read back, what is wrong is named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.emit import LaneSignal
from streamer.core.figures import LaneFigures
from streamer.wire.lane_record import decode_figures, encode_figures, encode_signal, lane_name, signal_of
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.samples import AT_MS

SIGNAL = LaneSignal("example.com", 2, 7, AT_MS + 60_000, AT_MS + 10_000, AT_MS)
_INSTANT = st.integers(0, (1 << 53) - 1)
_SMALL = st.integers(0, (1 << 16) - 1)


def test_a_lane_is_named_by_its_domain_and_its_shard() -> None:
    """The first shard has the domain's own name, so that a domain without shards is named as it is written."""
    assert [lane_name("example.com", shard) for shard in (0, 3)] == ["example.com", "example.com#3"]


def test_figures_as_people_read_them() -> None:
    """Instants are RFC 3339, null where there are none; the schema has its version."""
    figures = LaneFigures(
        "example.com",
        1,
        AT_MS,
        rate_used_per_s=1 / 3,
        rate_allowed_per_s=10.0,
        concurrency=20,
        in_flight=3,
        queue=4,
        queue_limit=50,
        open_tasks=70,
        breaker="open",
        open_until_ms=AT_MS + 1_000,
        paused_by=None,
        oldest_waiting_ms=5,
        p50_ms=1.5,
        worker="w1",
    )
    record = decode_figures(encode_figures(figures))
    assert (record["v"], record["domain"], record["shard"], record["worker"]) == (1, "example.com", 1, "w1")
    assert (record["rate_used_per_s"], record["rate_allowed_per_s"]) == (0.333, 10.0)
    assert record["at"].endswith("Z")
    assert record["open_until"] > record["at"]
    assert [record[name] for name in ("paused_until", "paused_by", "promised_until", "p95_ms")] == [None] * 4
    assert (record["concurrency"], record["in_flight"], record["queue"], record["queue_limit"]) == (20, 3, 4, 50)
    assert (record["open_tasks"], record["breaker"], record["oldest_waiting_ms"], record["p50_ms"]) == (
        70,
        "open",
        5,
        1.5,
    )


def test_a_lane_that_is_gone_leaves_a_tombstone() -> None:
    """The topic is compacted: no value removes the key."""
    assert encode_figures(LaneFigures("example.com", 0, AT_MS, gone=True)) is None


@pytest.mark.parametrize("value", [None, b"", b"nonsense", b"[]", b'{"v":2,"domain":"a"}', b'{"v":1,"domain":7}'])
def test_what_are_no_figures_is_refused(value: bytes | None) -> None:
    """A reader of the topic learns what is wrong instead of showing it."""
    with pytest.raises(UnreadableRecord):
        decode_figures(value)


@given(st.builds(LaneSignal, st.text(min_size=1, max_size=80), _SMALL, _SMALL, _INSTANT, _INSTANT, _INSTANT))
def test_a_signal_reads_back_what_it_writes(signal: LaneSignal) -> None:
    """Every field stands in the record."""
    assert signal_of(orjson.loads(encode_signal(signal))) == signal


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"v": 2}, "lane"),
        ({"lane": None}, "lane"),
        ({"shard": -1}, "shard"),
        ({"shard": 1 << 16}, "shard"),
        ({"partition": True}, "partition"),
        ({"partition": "1"}, "partition"),
        ({"paused_until_ms": 1.5}, "paused_until_ms"),
        ({"open_until_ms": 1 << 53}, "open_until_ms"),
        ({"at_ms": None}, "at_ms"),
    ],
)
def test_a_signal_that_is_wrong_names_the_field(changed: dict[str, Any], field: str) -> None:
    """Nobody guesses an instant."""
    record = orjson.loads(encode_signal(SIGNAL)) | changed
    with pytest.raises(UnreadableRecord) as refused:
        signal_of(record)
    assert refused.value.field == field
