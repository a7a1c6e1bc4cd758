"""The machine's own measures."""

from __future__ import annotations

import time

from streamer.adapters.system import ThreadLoad


def test_a_thread_that_computes_is_busy() -> None:
    """A thread that does nothing but compute runs, or waits for a CPU, nearly all the time, whoever else is busy."""
    load = ThreadLoad()
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        pass
    assert load.share() > 0.5
