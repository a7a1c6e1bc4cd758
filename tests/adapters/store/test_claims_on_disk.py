"""Claims on disk: counted per business, with the changelog's offset in the same transaction (RULES 12, 35)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.core.claims import pack_claim
from tests.adapters.store.samples import claim, digest

ACME, OTHER = b"acme    ", b"other   "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a test's claims are kept."""
    return tmp_path / "claims.sqlite"


@pytest.fixture
def claims(path: Path) -> Iterator[ClaimsOnDisk]:
    """Open claims, and close them after the test."""
    opened = ClaimsOnDisk(path)
    yield opened
    opened.close()


def test_a_new_file_has_nothing(claims: ClaimsOnDisk) -> None:
    """No claim, no count, and no offset of the changelog."""
    assert (claims.get(digest(1)), claims.held_by(ACME), claims.applied_offset) == (None, 0, -1)


def test_counts_follow_the_claims(claims: ClaimsOnDisk) -> None:
    """A claim that moves to another business, or goes, is counted where it stands and nowhere else."""
    claims.put_many([(digest(1), claim(ACME)), (digest(2), claim(ACME)), (digest(3), claim(OTHER))])
    assert (claims.held_by(ACME), claims.held_by(OTHER)) == (2, 1)
    claims.put_many([(digest(1), claim(OTHER)), (digest(3), claim(OTHER, claimed_s=2_000))])
    assert (claims.held_by(ACME), claims.held_by(OTHER)) == (1, 2)
    claims.forget_many([digest(1), digest(2), digest(9)])
    assert (claims.held_by(ACME), claims.held_by(OTHER)) == (0, 1)
    assert claims.get(digest(3)) == claim(OTHER, claimed_s=2_000)


def test_the_oldest_come_first_and_no_more_than_asked(claims: ClaimsOnDisk) -> None:
    """What is swept is the oldest, within a bound, and nothing that is young enough."""
    claims.put_many([(digest(number), claim(claimed_s=number)) for number in (5, 3, 9, 7)])
    assert claims.older_than(9, 2) == [digest(3), digest(5)]
    assert claims.older_than(3, 2) == []


def test_it_is_all_there_when_opened_again(path: Path) -> None:
    """Claims, counts and offset outlive the process."""
    first = ClaimsOnDisk(path)
    first.recover([(digest(1), pack_claim(claim(ACME))), (digest(2), pack_claim(claim(ACME))), (digest(1), None)], 17)
    first.close()
    again = ClaimsOnDisk(path)
    assert (again.get(digest(1)), again.get(digest(2))) == (None, claim(ACME))
    assert (again.held_by(ACME), again.applied_offset) == (1, 17)
    again.close()


def test_reading_the_changelog_twice_counts_once(claims: ClaimsOnDisk) -> None:
    """Changes of ours reach the file before their offset does, so a recovery may meet them again."""
    claims.put_many([(digest(1), claim(ACME)), (digest(2), claim(ACME))])
    claims.recover([(digest(number), pack_claim(claim(ACME))) for number in (1, 2, 3)], 2)
    assert (claims.held_by(ACME), claims.applied_offset) == (3, 2)


def test_the_offset_comes_with_its_changes_or_not_at_all(claims: ClaimsOnDisk, path: Path) -> None:
    """A change that cannot be applied takes its whole batch and the offset with it."""
    claims.recover([(digest(1), pack_claim(claim(ACME)))], 5)
    with pytest.raises(ValueError, match="a claim has 32 bytes"):
        claims.recover([(digest(2), pack_claim(claim(ACME))), (digest(3), b"torn")], 6)
    assert (claims.get(digest(2)), claims.held_by(ACME), claims.applied_offset) == (None, 1, 5)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as beside:
        assert beside.execute("select count(*) from claims").fetchone() == (1,)
    beside.close()


def test_changes_after_closing_are_left_to_the_changelog(path: Path) -> None:
    """Late work of a departed partition neither writes nor raises."""
    claims = ClaimsOnDisk(path)
    claims.close()
    claims.put_many([(digest(1), claim(ACME))])
    claims.forget_many([digest(1)])
    claims.recover([(digest(1), pack_claim(claim(ACME)))], 3)
    again = ClaimsOnDisk(path)
    assert (again.get(digest(1)), again.applied_offset) == (None, -1)
    again.close()


def test_a_change_that_is_cut_off_leaves_nothing(claims: ClaimsOnDisk, path: Path) -> None:
    """RULES 35: claims, counts and the changelog's offset change together or not at all."""
    claims.recover([(digest(1), pack_claim(claim(ACME)))], 4)
    with closing(sqlite3.connect(path)) as other:
        # What is written last fails.
        other.execute("create trigger full before insert on facts begin select raise(abort, 'disk is full'); end")
        with pytest.raises(sqlite3.DatabaseError, match="disk is full"):
            claims.recover([(digest(1), None), (digest(2), pack_claim(claim(ACME)))], 6)
        other.execute("drop trigger full")
    assert (claims.get(digest(1)), claims.get(digest(2))) == (claim(ACME), None)
    assert (claims.held_by(ACME), claims.applied_offset) == (1, 4)
