"""What is kept of a partition's lanes: the newest of what the changelog says, and nothing that matters no more."""

from __future__ import annotations

from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import LaneMemory, lane_digest, pack_lane
from tests.core.samples import NOW_MS

KEY = lane_digest("a")


def paused(at_ms: int, until_ms: int = NOW_MS + 60_000) -> LaneMemory:
    return LaneMemory("a", at_ms, paused_until_ms=until_ms)


def test_the_changelog_is_read_in_order() -> None:
    """The last write holds, a tombstone forgets."""
    book = LaneBook()
    book.recover(KEY, pack_lane(paused(NOW_MS)))
    book.recover(KEY, pack_lane(paused(NOW_MS, NOW_MS + 5)))
    assert book.get("a") == paused(NOW_MS, NOW_MS + 5)
    book.recover(KEY, None)
    book.recover(lane_digest("b"), None)
    assert (book.get("a"), len(book)) == (None, 0)


def test_a_stopped_owners_late_write_does_not_win() -> None:
    """RULES 4: of two writes the one that was decided later holds, whatever their order in the log."""
    book = LaneBook()
    book.recover(KEY, pack_lane(paused(NOW_MS)))
    book.recover(KEY, pack_lane(LaneMemory("a", NOW_MS - 30_000)))
    assert book.get("a") == paused(NOW_MS)


def test_the_first_takeover_counts() -> None:
    """RULES 18: a rebalance that leaves the partition here is no takeover."""
    book = LaneBook()
    book.take_over(NOW_MS)
    book.take_over(NOW_MS + 5_000)
    assert book.taken_over_ms == NOW_MS


def test_what_matters_is_kept_and_what_is_trivial_is_not() -> None:
    """Whoever keeps a lane learns which key the changelog may forget: one that was there before."""
    book = LaneBook()
    assert book.keep(LaneMemory("a", NOW_MS), NOW_MS) is None
    assert len(book) == 0
    assert book.keep(paused(NOW_MS), NOW_MS) is None
    assert book.get("a") == paused(NOW_MS)
    assert book.keep(paused(NOW_MS + 60_000), NOW_MS + 60_000) == KEY
    assert (book.get("a"), len(book)) == (None, 0)


def test_what_has_become_trivial_is_forgotten() -> None:
    """A pause that is over and a debt that is paid leave nothing; an open breaker stays."""
    book = LaneBook()
    book.keep(paused(NOW_MS), NOW_MS)
    book.keep(LaneMemory("b", NOW_MS, tat_ms=NOW_MS + 100), NOW_MS)
    book.keep(LaneMemory("c", NOW_MS, openings=1, open_until_ms=NOW_MS + 5), NOW_MS)
    assert book.forget_trivial(NOW_MS) == []
    assert book.forget_trivial(NOW_MS + 100) == [lane_digest("b")]
    assert book.forget_trivial(NOW_MS + 60_000) == [KEY]
    assert len(book) == 1
