"""Waiting for a condition that gives no signal, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_LOOK_S = 0.005


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Return once ``condition()`` is true; TimeoutError after ``within_s``."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - for what gives no signal
            await asyncio.sleep(_LOOK_S)
