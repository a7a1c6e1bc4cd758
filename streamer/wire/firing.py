"""A recurring schedule's firing as a request record: the schedule's own request, with the id of this instant."""

from __future__ import annotations

import orjson

from streamer.core.emit import Firing
from streamer.core.identity import firing_id
from streamer.wire.instants import format_instant

#: What the firing adds to the request's metadata: the schedule's name, and the instant.
SCHEDULE, SCHEDULED_AT = "schedule", "scheduled_at"


def encode_firing(firing: Firing) -> bytes:
    """Return the request record; its id makes a firing that is written twice one task."""
    record = orjson.loads(firing.template)
    filled_in = {SCHEDULE: firing.schedule, SCHEDULED_AT: format_instant(firing.instant_ms)}
    metadata = {**(record.get("metadata") or {}), **filled_in}
    return orjson.dumps({**record, "metadata": metadata, "id": firing_id(firing.schedule, firing.instant_ms)})
