"""How far instants move when the wall clock is set back."""

from __future__ import annotations

import pytest

from streamer.core.clock_step import JITTER_MS, step_back_ms


@pytest.mark.parametrize(
    ("seen_ms", "now_ms", "back_ms"),
    [(10, 10, 0), (10, 5_000, 0), (5_000, 5_000 - JITTER_MS, 0), (5_000, 3_999, 1_001), (3_600_000.5, 0, 3_600_000.5)],
)
def test_only_a_step_moves_instants(seen_ms: float, now_ms: float, back_ms: float) -> None:
    """A clock that goes on, stands still or jitters moves nothing; one that was set back moves all by as much."""
    assert step_back_ms(seen_ms, now_ms) == back_ms
