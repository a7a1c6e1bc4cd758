"""Sizes in bytes: what may be written, and that what is shown reads the same back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.core.byte_size import MAX_BYTES, format_byte_size, parse_byte_size


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ("512MiB", 512 * 1024**2),
        ("2gb", 2 * 1000**3),
        (" 1 KiB ", 1024),
        ("0B", 0),
        ("3 kB", 3_000),
        ("7GiB", 7 * 1024**3),
    ],
)
def test_a_number_with_a_unit_is_a_size(written: str, size_bytes: int) -> None:
    """Units of ten and of two are told apart, whatever their case."""
    assert parse_byte_size(written) == size_bytes


@pytest.mark.parametrize("written", ["", "512", "MiB", "1.5GiB", "-1MiB", "512 Mi", "512MiB 1B", "²MiB", "1 h"])
def test_anything_else_is_refused_with_what_is_allowed(written: str) -> None:
    """A bare number would be bytes to some and megabytes to others."""
    with pytest.raises(ValueError, match=r'write a whole number and a unit .*"512MiB"'):
        parse_byte_size(written)


def test_a_size_beyond_every_machine_is_refused() -> None:
    """It is a mistake, and its arithmetic is not worth thinking about."""
    with pytest.raises(ValueError, match="is no size of at most 1048576GiB"):
        parse_byte_size("2000000GiB")


@given(st.integers(0, MAX_BYTES))
@example(MAX_BYTES - 1)
def test_what_is_written_reads_back(size_bytes: int) -> None:
    """Nothing is rounded."""
    assert parse_byte_size(format_byte_size(size_bytes)) == size_bytes


def test_a_negative_size_is_a_fault() -> None:
    """It cannot be shown as if it were one."""
    with pytest.raises(ValueError, match="negative"):
        format_byte_size(-1)
