"""The machine's own measures."""

from __future__ import annotations

import os
import resource
import time

import pytest

from streamer.adapters.system import ThreadLoad


def test_a_thread_that_computes_is_busy() -> None:
    """A thread that does nothing but compute runs, or waits for a CPU, nearly all the time, whoever else is busy."""
    load = ThreadLoad()
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        pass
    assert load.share() > 0.5


def test_a_load_is_told_without_a_descriptor_left() -> None:
    """Who has as many files open as it may is asked all the same: what it was read by is open from the start."""
    load, before = ThreadLoad(), resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        share = load.share()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert 0 <= share < 5
