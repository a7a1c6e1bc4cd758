"""One trace names a task wherever it shows: in its call, its results and its dead letter, read as often as one likes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.adapters.http.headers import outgoing_headers
from streamer.core.emit import DeadLetterOf
from streamer.core.ladder import Tier
from streamer.wire.delivery_record import decode_delivery, encode_delivery
from streamer.wire.outgoing import Encoder
from streamer.wire.topics import Topics
from tests.wire.samples import AT_MS, DELIVERY, result

ENCODE = Encoder(Topics("s.", 12, (Tier("5s", 5_000),)))


@pytest.mark.parametrize("given", [DELIVERY.request.traceparent, None])
def test_a_task_has_one_trace(given: str | None) -> None:
    """The producer's where it sent one, else one that is made of the id and needs no place in the record."""
    delivery = replace(DELIVERY, request=replace(DELIVERY.request, traceparent=given))
    read = decode_delivery(encode_delivery(delivery))
    last = result(delivery=replace(read, attempt=2))
    written = [
        dict(ENCODE(emit).headers)["traceparent"] for emit in (last, DeadLetterOf(read, "exhausted", last, AT_MS))
    ]
    sent = dict(outgoing_headers(delivery, AT_MS, "s"))["traceparent"]
    assert written == [sent.encode()] * 2
    assert given is None or sent == given
