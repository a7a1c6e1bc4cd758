"""What is known of one task: its newest state by `results`, and its request by its newest delivery."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from streamer.cli.cluster import Installation
from streamer.cli.letter_text import shown_request
from streamer.cli.tasks_delivery import read_deliveries
from streamer.cli.tasks_state import TaskState, partitions_of, read_states
from streamer.core.delivery import Delivery, webhook_id
from streamer.wire.instants import format_instant
from streamer.wire.masking import USUAL, Masking


async def look_up(place: Installation, task_id: str, lane: str | None) -> dict[str, Any] | None:
    """Return the facts, fit for JSON; None when nothing tells of the task."""
    partitions = await partitions_of(place, [task_id])
    states = await read_states(place, [task_id], partitions)
    delivery = None
    async with aclosing(read_deliveries(place, states, lane)) as deliveries:
        async for found in deliveries:
            delivery = found
    state = states[task_id]
    return facts(state, delivery, place.masking) if state.generation or delivery is not None else None


def facts(state: TaskState, delivery: Delivery | None, masking: Masking = USUAL) -> dict[str, Any]:
    """Return what to show; what does not apply is left out."""
    shown: dict[str, Any] = {
        "task_id": state.task_id,
        "state": state.state or "accepted: no result yet",
        "generation": max(1, state.generation),
        "attempt": state.attempt or None,
        "domain": state.lane or (delivery.lane if delivery else None),
        "shard": state.shard or (delivery.shard if delivery else 0) or None,
        "at": state.at,
        "due_at": None if state.final else state.due_at,
        "ended" if state.final else "waits": state.waits or None,
        "last": state.last,
        "command_id": state.command_id,
    }
    if delivery is not None:
        shown |= _request_facts(delivery, masking, told=state.generation > 0)
    return {name: value for name, value in shown.items() if value is not None}


def _request_facts(delivery: Delivery, masking: Masking, *, told: bool) -> dict[str, Any]:
    origin, expires_at_ms = delivery.origin, delivery.request.expires_at_ms
    shown: dict[str, Any] = {
        "business": delivery.business,
        "business_id": delivery.business_id,
        "accepted_at": format_instant(delivery.accepted_at_ms),
        "expires_at": None if expires_at_ms is None else format_instant(expires_at_ms),
        "webhook_id": webhook_id(delivery),
        "origin": f"{origin.topic} {origin.partition}:{origin.offset}",
        "request": shown_request(delivery.request, masking),
    }
    if not told:
        shown["due_at"] = format_instant(delivery.due_at_ms)
    return shown
