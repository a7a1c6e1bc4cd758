"""How many files may be open."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from streamer.adapters.open_files import allow_open_files


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    """Return the soft and the hard limit, and put them back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_and_never_lowered(limits: tuple[int, int]) -> None:
    """What is wanted is allowed, and a later smaller wish takes nothing away."""
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allow_open_files(300) == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
    assert allow_open_files(280) == 280
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)


def test_no_more_than_the_system_lets_us(limits: tuple[int, int]) -> None:
    """A wish beyond the hard limit gets the hard limit, and the caller is told."""
    _, hard = limits
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this system has no bound")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert allow_open_files(hard + 1) == hard
