"""One of two workers dies without a word in the midst of its work, and nothing of it is lost."""

from __future__ import annotations

import pytest

from bench.kill_test import Plan, run
from tests.support.installation import Installation

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: The longest that the dead worker's partitions may stand still, by our promise.
RECOVERY_S = 30.0


async def test_kill_9_of_one_of_two_workers_loses_nothing(place: Installation) -> None:
    """Over 40 domains, each task has exactly one end, the one that its receiver knows of; `make kill-test` does more."""
    report = await run(place, Plan(tasks=3_000, kills=1, within_s=90))
    assert report.good, "\n".join(report.lines())
    (kill,) = report.kills
    assert kill.recovery_s is not None, "the worker that was killed had nothing to do"
    assert kill.recovery_s < RECOVERY_S
