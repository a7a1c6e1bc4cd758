"""What stands on control: commands and signals, told apart by what they say, not by what they contain."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.emit import LaneSignal
from streamer.wire.command_record import encode_command
from streamer.wire.control_record import decode_control
from streamer.wire.lane_record import SIGNAL, encode_signal
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.samples import AT_MS, DELIVERY, commands

THE_SIGNAL = LaneSignal("example.com", 1, 3, 0, AT_MS, AT_MS)


@given(commands())
def test_a_command_is_read_as_one(command: Command) -> None:
    """Whatever it carries."""
    assert decode_control(encode_command(command)) == command


def test_a_signal_is_read_as_one() -> None:
    """By its kind."""
    assert decode_control(encode_signal(THE_SIGNAL)) == THE_SIGNAL


def test_a_command_whose_body_looks_like_a_signal_is_a_command() -> None:
    """Only the parsed record tells: the body is the caller's."""
    request = replace(DELIVERY.request, body=f'{{"kind":"{SIGNAL}"}}'.encode())
    delivery = replace(DELIVERY, request=request)
    command = Command("cmd_1", Verb.REPLAY, delivery.task_id, "example.com", 1, delivery, "alice", AT_MS)
    assert decode_control(encode_command(command)) == command


@pytest.mark.parametrize("value", [None, b"", b"junk", b'"lane_signal"', b'["lane_signal"]', b'{"kind":"lane_signal"'])
def test_what_is_neither_is_refused(value: bytes | None) -> None:
    """As a command would be, since people write those."""
    with pytest.raises(UnreadableRecord):
        decode_control(value)


def test_a_signal_that_is_wrong_is_refused_as_a_signal() -> None:
    """The field is the signal's, not one that a command would have."""
    record = orjson.loads(encode_signal(THE_SIGNAL)) | {"shard": "one"}
    with pytest.raises(UnreadableRecord) as refused:
        decode_control(orjson.dumps(record))
    assert refused.value.field == "shard"
