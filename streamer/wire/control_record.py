"""What stands on ``control``: commands, which people may write, and signals between the shards of a lane."""

from __future__ import annotations

import orjson

from streamer.core.command import Command
from streamer.core.emit import LaneSignal
from streamer.wire.command_record import decode_command
from streamer.wire.lane_record import SIGNAL, signal_of
from streamer.wire.sealed import Sealer

_MARK = f'"{SIGNAL}"'.encode()


def decode_control(value: bytes | None, sealer: Sealer | None = None) -> Command | LaneSignal:
    """Return the command or signal; UnreadableRecord names the field and what is allowed."""
    # A command's body may hold these bytes too: only the parsed record tells.
    if value and _MARK in value:
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError:
            record = None
        if type(record) is dict and record.get("kind") == SIGNAL:
            return signal_of(record)
    return decode_command(value, sealer)
