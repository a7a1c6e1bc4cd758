"""A command comes back from its record as it went in, and a wrong one is refused with what is allowed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.command import Command, Verb
from streamer.wire.command_record import decode_command, encode_command
from streamer.wire.delivery_record import encode_delivery
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.golden_files import golden
from tests.wire.samples import AT_MS, DELIVERY, commands

REPLAY = Command("cmd_1", Verb.REPLAY, DELIVERY.task_id, "example.com", 1, DELIVERY, "alice", AT_MS, force=True)
CANCEL = Command("cmd_2", Verb.CANCEL, DELIVERY.task_id, "example.com", None, None, "cli", AT_MS)


@given(commands())
def test_round_trip(command: Command) -> None:
    """Every command survives its record."""
    assert decode_command(encode_command(command)) == command


@pytest.mark.parametrize(("name", "command"), [("command.replay.v1.json", REPLAY), ("command.cancel.v1.json", CANCEL)])
def test_golden(name: str, command: Command) -> None:
    """What version 1 looks like does not change."""
    assert encode_command(command) == golden(name)
    assert decode_command(golden(name)) == command


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"v": 2}, "v", "must be 1"),
    ({"v": True}, "v", "must be 1"),
    ({"verb": "pause"}, "verb", "cancel, update, run_now, retry, replay"),
    ({"verb": None}, "verb", "text"),
    ({"task_id": ""}, "task_id", "1 to 255"),
    ({"task_id": "x" * 256}, "task_id", "1 to 255"),
    ({"command_id": 7}, "command_id", "text"),
    ({"lane": "a\nb"}, "lane", "printable"),
    ({"by": None}, "by", "text"),
    ({"at": "2026-01-01"}, "at", "RFC 3339"),
    ({"at": 5}, "at", "text"),
    ({"expect_generation": 0}, "expect_generation", "from 1"),
    ({"expect_generation": True}, "expect_generation", "from 1"),
    ({"expect_generation": 1 << 31}, "expect_generation", "from 1"),
    ({"force": 1}, "force", "true or false"),
    ({"delivery": None}, "delivery", "required"),
    ({"delivery": {"v": 9}}, "delivery.v", "must be 1"),
    ({"delivery": []}, "delivery", "object"),
    ({"task_id": "another"}, "delivery.t", "task_id"),
    ({"verb": "cancel"}, "delivery", "every verb but cancel"),
    ({"genration": 1}, "genration", "did you mean expect_generation"),
    ({"qqqq": 1}, "qqqq", "known are"),
]


@pytest.mark.parametrize(("change", "field", "part"), BROKEN)
def test_broken(change: dict[str, Any], field: str, part: str) -> None:
    """One wrong field is refused by its name, with what is allowed."""
    record = orjson.loads(encode_command(REPLAY)) | change
    with pytest.raises(UnreadableRecord) as caught:
        decode_command(orjson.dumps(record))
    assert caught.value.field == field
    assert part in caught.value.reason


@pytest.mark.parametrize("value", [None, b"", b"[]", b"7", b"{", b"\xff", b"{}"])
def test_no_command(value: bytes | None) -> None:
    """Bytes that are no command raise the one exception of reading."""
    with pytest.raises(UnreadableRecord):
        decode_command(value)


@given(st.data())
def test_mutated_bytes_decode_or_are_refused(data: st.DataObject) -> None:
    """A command with some bytes changed is a command, or is refused; nothing else is raised."""
    value = bytearray(encode_command(data.draw(st.sampled_from([REPLAY, CANCEL]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        command = decode_command(bytes(value))
    except UnreadableRecord:
        return
    assert decode_command(encode_command(command)) == command


def test_the_delivery_is_the_internal_record() -> None:
    """A command carries the very bytes that a tier would."""
    assert encode_delivery(DELIVERY) in encode_command(REPLAY)
