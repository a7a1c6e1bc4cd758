"""One item that waits in a lane, with what its turn depends on.

Must not know what the item is.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

Item = TypeVar("Item")


class Waiting(Struct, Generic[Item], eq=False):
    """An item in a lane's queue; while it waits nobody changes it.

    Priority 1 is first. ``promise_ms`` is the slot that was promised to it, None for none. ``retry`` tells that it has
    been attempted before. ``arrived_ms`` is when it came into the queue.
    """

    item: Item
    business: str
    priority: int
    promise_ms: int | None
    retry: bool
    size_bytes: int
    arrived_ms: int
