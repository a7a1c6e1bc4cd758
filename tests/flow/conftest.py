"""A desk with default limits, stopped when its test is over."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.flow.desk import Desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.stop()
