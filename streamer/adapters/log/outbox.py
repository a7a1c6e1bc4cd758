"""An outbox that logs what was decided of tasks: one wide line for each attempt, and for each decision without one.

Invariant: no line has a URL, a header, a body, or a word of a peer's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from streamer.core.delivery import trace_id_of
from streamer.core.emit import Emit, ResultOf
from streamer.core.outcome import Response
from streamer.ports import Change, Outbox
from streamer.wire.instants import format_instant

#: The logger of these lines alone, so that they can be wanted or not whatever else is.
LOGGER = "streamer.attempts"
log = logging.getLogger(LOGGER)


class LoggedOutbox:
    """Implements the outbox by another one, and logs the results among what it has written, once acknowledged."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all; raises Abandoned when the lease is lost first."""
        await self._outbox.publish(emits)
        if log.isEnabledFor(logging.INFO):
            for emit in emits:
                if isinstance(emit, ResultOf):
                    log.info("attempt" if emit.exchange else "decision", extra={"fields": fields_of(emit)})

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the table's changelog; raises Abandoned when the lease is lost first."""
        await self._outbox.log(changes)


def fields_of(result: ResultOf) -> dict[str, Any]:
    """Return what a line says of a result, by the names that results have; what does not apply is left out."""
    because, exchange, delivery = result.because, result.exchange, result.delivery
    fields: dict[str, Any] = {
        "task_id": result.task_id,
        "trace_id": trace_id_of(delivery) if delivery else None,
        "business": result.business or None,
        "domain": delivery.lane if delivery else result.lane,
        "generation": result.generation,
        "attempt": result.attempt,
        "outcome": result.outcome.value,
        "error_type": result.error_type.value if result.error_type else None,
        "state": result.state.word if result.state is not None else None,
        "rule": because.rule,
        "reason": because.reason,
        "tier": because.tier,
        "due_at": format_instant(because.due_at_ms) if because.due_at_ms is not None else None,
        "command_id": result.command_id,
    }
    if exchange is not None:
        fields["status"] = exchange.end.status if isinstance(exchange.end, Response) else None
        fields["duration_ms"] = round(exchange.duration_ms, 3)
        fields["address"] = exchange.address
        fields["tls_verified"] = None if exchange.tls_verified else False
    return {name: value for name, value in fields.items() if value is not None}
