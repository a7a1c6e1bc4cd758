"""A recurring schedule's firing as a request record: the schedule's own request, with the id of this instant."""

from __future__ import annotations

import orjson

from streamer.core.emit import Firing
from streamer.core.identity import firing_id


def encode_firing(firing: Firing) -> bytes:
    """Return the request record; its id makes a firing that is written twice one task."""
    record = orjson.loads(firing.template)
    return orjson.dumps({**record, "id": firing_id(firing.schedule, firing.instant_ms)})
