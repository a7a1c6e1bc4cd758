"""The local marker: what a process learns of the one before it, which died without a word or stopped in order (RULES 14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.adapters.store.marker_file import MarkerFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a worker's marker stands; its directory is made by the marker."""
    return tmp_path / "worker" / "marker.json"


def test_the_first_start_has_no_past(path: Path) -> None:
    """Without a file nothing is unfinished."""
    marker = MarkerFile(path)
    assert not marker.after_unclean_exit
    assert (marker.span_end("due", 0), marker.found_twice("due", 0, 0)) == (0, False)


def test_a_clean_stop_leaves_nothing(path: Path) -> None:
    """After an orderly end the records that had been handed out are no suspects."""
    marker = MarkerFile(path)
    marker.handed("due", 3, 100)
    marker.begin("due", 3, 90)
    marker.close()
    after = MarkerFile(path)
    assert not after.after_unclean_exit
    assert after.span_end("due", 3) == 0


def test_a_death_leaves_the_span_it_had_handed_out(path: Path) -> None:
    """The next process knows the end of the span, for each source and partition apart."""
    marker = MarkerFile(path)
    marker.handed("due", 3, 100)
    marker.handed("due", 3, 150)
    marker.handed("deliveries", 3, 7)
    after = MarkerFile(path)
    assert after.after_unclean_exit
    assert [after.span_end(*place) for place in (("due", 3), ("deliveries", 3), ("due", 4))] == [150, 7, 0]


def test_a_span_stays_over_a_second_death(path: Path) -> None:
    """A process that dies before it hands anything out still leaves the span to its successor."""
    MarkerFile(path).handed("due", 3, 100)
    MarkerFile(path)
    assert MarkerFile(path).span_end("due", 3) == 100


def test_two_deaths_with_a_record_alone_are_found(path: Path) -> None:
    """Once may be chance; twice with the same record alone in hand is the record."""
    marker = MarkerFile(path)
    for deaths in (1, 2):
        marker.handed("due", 3, 100)
        marker.begin("due", 3, 40)
        marker = MarkerFile(path)
        assert marker.found_twice("due", 3, 40) is (deaths == 2)
    assert not marker.found_twice("due", 3, 41)


def test_a_death_counts_only_for_what_was_in_hand(path: Path) -> None:
    """A process killed before it came to the record again does not make the record a suspect."""
    marker = MarkerFile(path)
    marker.handed("due", 3, 100)
    marker.begin("due", 3, 40)
    MarkerFile(path)
    third = MarkerFile(path)
    assert not third.found_twice("due", 3, 40)
    third.begin("due", 3, 40)
    assert MarkerFile(path).found_twice("due", 3, 40)


def test_a_handled_record_is_no_suspect(path: Path) -> None:
    """What was handled between two deaths starts from nothing."""
    marker = MarkerFile(path)
    marker.handed("due", 3, 100)
    marker.begin("due", 3, 40)
    marker = MarkerFile(path)
    marker.begin("due", 3, 40)
    marker.end("due", 3, 40)
    marker = MarkerFile(path)
    marker.begin("due", 3, 40)
    assert not MarkerFile(path).found_twice("due", 3, 40)


@pytest.mark.parametrize(
    "left",
    [
        b"",
        b'{"running":true,"handed":{"due:3":1',
        b"\x00" * 4096,
        b"[1,2]",
        b"null",
        b'{"running":true,"handed":[],"alone":7}',
        b'{"running":true,"handed":{"due:3":"much"},"alone":{"due:3:1":null},"in_hand":{}}',
        b"\xff\xfe\x00",
    ],
)
def test_what_cannot_be_read_is_no_past(path: Path, left: bytes) -> None:
    """A torn or foreign file must not keep a worker from starting, and is written anew."""
    path.parent.mkdir(parents=True)
    path.write_bytes(left)
    marker = MarkerFile(path)
    assert not marker.after_unclean_exit
    marker.handed("due", 3, 5)
    assert MarkerFile(path).span_end("due", 3) == 5


def test_a_short_state_after_a_long_one_is_read_whole(path: Path) -> None:
    """The rest of a longer line must not stand behind a shorter one."""
    marker = MarkerFile(path)
    for partition in range(1_000):
        marker.handed("deliveries", partition, 10**12 + partition)
    assert path.stat().st_size > 16_384
    after = MarkerFile(path)
    assert after.span_end("deliveries", 999) == 10**12 + 999
    after.close()
    last = MarkerFile(path)
    assert not last.after_unclean_exit
    last.handed("due", 0, 1)
    assert MarkerFile(path).span_end("due", 0) == 1
