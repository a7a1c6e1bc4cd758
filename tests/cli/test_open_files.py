"""What a worker does with fewer files and sockets than it may need."""

from __future__ import annotations

import logging
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cli.open_files import fit_open_files, fitting
from streamer.settings.model import Settings


@given(st.integers(16, 5_000), st.integers(1, 100_000))
def test_what_fits_leaves_room_for_others(allowed: int, calls: int) -> None:
    """Calls never take more than their part, nor more than was wanted; one is always made."""
    fewer = fitting(allowed, calls)
    assert 1 <= fewer <= calls
    assert fewer <= max(allowed - 1_000, allowed // 2)


@pytest.mark.parametrize(("allowed", "fits"), [(256, 128), (1_024, 512), (1_800, 900), (2_100, 1_000)])
def test_usual_limits(allowed: int, fits: int) -> None:
    """Of the settings' 1,000 calls so many are left under the limits that systems have."""
    assert fitting(allowed, 1_000) == fits


def test_a_worker_makes_fewer_calls_rather_than_calls_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """Under a limit that is too small the settings have fewer calls at once, and the log says how many and what to do."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = Settings.model_validate({"worker": {"max_in_flight": 100_000, "window_records": 100_000}})
    allowed = min(before[1], 20_000) if before[1] != resource.RLIM_INFINITY else 20_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], allowed), allowed))
    try:
        with caplog.at_level(logging.WARNING):
            fitted = fit_open_files(asked)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert fitted.worker.max_in_flight < allowed
    assert (fitted.http.idle_per_domain, fitted.http.idle_total) == (0, 0)
    assert fitted.worker.domain_concurrency <= fitted.worker.max_in_flight
    assert "ulimit -n" in caplog.text


def test_a_limit_that_does_changes_nothing() -> None:
    """Settings that fit are the same settings."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = Settings.model_validate({"worker": {"max_in_flight": 20}, "http": {"idle_total": 0}})
    try:
        assert fit_open_files(asked) is asked
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
