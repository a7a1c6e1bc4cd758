"""Requests encrypted on our topics: headers and body are out of sight, and everything else reads as before."""

from __future__ import annotations

import os

import orjson
import pytest
from msgspec.structs import replace

from streamer.adapters.crypto.aes_gcm import KEY_BYTES, AesGcmSealer
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.emit import Because, Claim, DeadLetterOf, Due, FirstPass, Held, ResultOf
from streamer.core.ladder import DEFAULT_TIERS
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.request import Request
from streamer.wire.command_record import decode_command, encode_command
from streamer.wire.dead_letter_record import decode_dead_letter
from streamer.wire.delivery_record import decode_delivery, encode_delivery
from streamer.wire.outgoing import Encoder
from streamer.wire.sealed import KeyMissing
from streamer.wire.topics import Topics
from streamer.wire.unreadable import UnreadableRecord
from tests.core.samples import NOW_MS
from tests.support.sending import delivery_of

SEALER = AesGcmSealer({"k1": os.urandom(KEY_BYTES)})
SIGHT = b"canary"


def sample(body: bytes = SIGHT, headers: tuple[tuple[str, str], ...] = (("X-Token", "canary"),)) -> Delivery:
    return delivery_of(Request("https://example.com/", headers=headers, body=body))


@pytest.mark.parametrize(
    "delivery",
    [sample(), sample(b""), sample(headers=()), sample(bytes(range(256)) + SIGHT), sample(b'{"a": "canary\\n"}\n\n')],
    ids=["text", "no body", "no headers", "binary", "lines"],
)
def test_a_sealed_delivery_reads_as_it_was(delivery: Delivery) -> None:
    """Whatever the body is, and nothing of it stands in the record."""
    value = encode_delivery(delivery, SEALER)
    assert SIGHT not in value
    assert decode_delivery(value, SEALER) == delivery


def test_nothing_to_hide_is_not_sealed() -> None:
    """A request without headers and body costs nothing more."""
    delivery = sample(b"", ())
    assert encode_delivery(delivery, SEALER) == encode_delivery(delivery)


def test_what_was_written_before_still_reads() -> None:
    """Encryption may be switched on while tasks are on their way."""
    assert decode_delivery(encode_delivery(sample()), SEALER) == sample()


def test_without_the_key_a_record_is_not_called_unreadable() -> None:
    """It must stay where it is until the key is there; a dead letter would give the task up."""
    value = encode_delivery(sample(), SEALER)
    with pytest.raises(KeyMissing, match=r"sealing\.keys is empty here"):
        decode_delivery(value)
    with pytest.raises(KeyMissing):
        decode_delivery(value, AesGcmSealer({"k2": os.urandom(KEY_BYTES)}))


def test_a_sealed_request_belongs_to_its_task() -> None:
    """Put into another task's record it does not open."""
    record = orjson.loads(encode_delivery(sample(), SEALER))
    other = orjson.dumps(record | {"t": "another"})
    with pytest.raises(UnreadableRecord, match="the request is encrypted, and key k1 does not open it"):
        decode_delivery(other, SEALER)


@pytest.mark.parametrize("raw", [None, "k1", ["k1"], ["k1", 7], ["k1", "***"], ["k1", ""]])
def test_junk_in_the_field_is_unreadable(raw: object) -> None:
    """Somebody else's record is a dead letter, not a fault of ours."""
    record = orjson.loads(encode_delivery(sample(), SEALER)) | {"y": raw}
    with pytest.raises(UnreadableRecord):
        decode_delivery(orjson.dumps(record), SEALER)


def test_every_topic_that_carries_a_request_is_sealed() -> None:
    """Deliveries, due, tiers, claims, dead letters and commands; and the last two read again."""
    delivery = sample()
    because = Because("default.500", "deliver", reason="exhausted")
    result = ResultOf(
        delivery.task_id,
        "default",
        None,
        1,
        1,
        Outcome.SERVER_ERROR,
        None,
        State.FAILED,
        because,
        NOW_MS,
        delivery=delivery,
    )
    letter = DeadLetterOf(delivery, "exhausted", result, NOW_MS)
    encode = Encoder(Topics("", 12, DEFAULT_TIERS), sealer=SEALER)
    emits = (FirstPass(delivery), Due(delivery), Held(delivery, "5s", NOW_MS), Claim(b"k", b"c", delivery), letter)
    values = [encode(emit).value or b"" for emit in emits]
    command = Command("cmd_1", Verb.REPLAY, delivery.task_id, delivery.lane, 1, delivery, "me", NOW_MS)
    values.append(encode_command(command, SEALER))
    assert not any(SIGHT in value for value in values)
    assert decode_dead_letter(values[4], SEALER).delivery == delivery
    assert replace(decode_command(values[5], SEALER), at_ms=NOW_MS) == command
