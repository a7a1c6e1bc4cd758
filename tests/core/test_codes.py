"""Sets of status codes, as tasks and settings write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.codes import parse_codes


@pytest.mark.parametrize(
    ("items", "inside", "outside"),
    [
        ([404], [404], [403, 405]),
        (["404"], [404], [403, 405]),
        ([" 404 "], [404], [403, 405]),
        (["5xx"], [500, 599], [499, 600]),
        (["1XX"], [100, 199], [99, 200]),
        (["200-204"], [200, 204], [199, 205]),
        (["200 - 204"], [200, 204], [199, 205]),
        (["100-599"], [100, 599], [99, 600]),
        ([408, "5xx", "420-429"], [408, 500, 425], [409, 419, 430]),
        ([], [], [0, 200, 500]),
    ],
)
def test_codes_are_numbers_classes_and_ranges(items: list[int | str], inside: list[int], outside: list[int]) -> None:
    """Each way of writing holds its codes and no neighbour."""
    codes = parse_codes(items)
    assert all(status in codes for status in inside)
    assert not any(status in codes for status in outside)


@pytest.mark.parametrize(
    "item",
    [99, 600, 0, -200, "6xx", "0xx", "xx", "", "2x", "abc", "204-200", "99-200", "500-600", "200-", "4.4"],
)
def test_what_is_no_code_is_refused(item: int | str) -> None:
    """The error repeats the item and says what is allowed."""
    with pytest.raises(ValueError, match="allowed are 100 to 599") as caught:
        parse_codes([200, item])
    assert repr(item) in str(caught.value)


def test_codes_remember_how_they_were_written() -> None:
    """Settings and results show codes as their author wrote them."""
    assert parse_codes([404, "5xx", "200-204"]).text == ("404", "5xx", "200-204")


@given(st.lists(st.integers(100, 599)))
def test_a_list_of_numbers_is_the_set_of_them(numbers: list[int]) -> None:
    """Numbers hold themselves, in whatever order and however often."""
    assert parse_codes(numbers).members == set(numbers)


@given(st.integers(100, 599), st.integers(100, 599))
def test_a_range_holds_both_ends_and_all_between(one: int, other: int) -> None:
    """A range is inclusive."""
    low, high = min(one, other), max(one, other)
    assert parse_codes([f"{low}-{high}"]).members == set(range(low, high + 1))


@given(st.lists(st.sampled_from(["404", "5xx", "200-204", "418", "1xx"])))
def test_what_was_written_can_be_read_again(items: list[str]) -> None:
    """The text of a set makes the same set."""
    codes = parse_codes(items)
    assert parse_codes(codes.text) == codes
