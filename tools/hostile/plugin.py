"""Part of pytest while the table is made: tells with each test how many traps it has set, and how often they were hit.

Loaded by name (`-p tools.hostile.plugin`), so that the processes that run the tests have it too.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.listener import TRAPS
from tools.hostile.tally import HITS, SET


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note what a test did with traps, also when it failed."""
    # A hit of an earlier test's trap cannot come later: it was closed with its test.
    TRAPS.clear()
    try:
        yield
    finally:
        item.user_properties += [(SET, len(TRAPS)), (HITS, sum(trap.accepted for trap in TRAPS))]
