"""No record that we make of others outgrows what the topics take, whatever producers and receivers have sent."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.codes import parse_codes
from streamer.core.delivery import Delivery, Origin, Why
from streamer.core.emit import Because, DeadLetterOf, Held, ResultOf, UnreadableOf
from streamer.core.ladder import DEFAULT_TIERS
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Exchange, Outcome, Response
from streamer.core.request import Request, RetryPolicy
from streamer.settings.contracts import ENVELOPE_BYTES, contradictions
from streamer.settings.model import Settings
from streamer.wire.body_text import from_base64
from streamer.wire.dead_letter_record import decode_dead_letter
from streamer.wire.header_cut import KEPT_HEADER_BYTES, cut_headers
from streamer.wire.header_rules import MAX_HEADERS, MAX_NAME_BYTES, MAX_TOTAL_BYTES, MAX_VALUE_BYTES
from streamer.wire.masking import extended
from streamer.wire.outgoing import RECORD_OVERHEAD_BYTES, Encoder, OutRecord
from streamer.wire.request_model import MAX_URL_BYTES
from streamer.wire.result_record import MOST_WORDS, decode_result, encode_result
from streamer.wire.topics import DEFAULT_MAX_MESSAGE_BYTES, Topics
from tests.wire.samples import AT_MS

MIB = 1024 * 1024
TOPICS = Topics("", 12, DEFAULT_TIERS)
#: Text of which JSON makes twice as much; a control character, which it makes six of; and what no text is.
QUOTES, CONTROL, BYTES = '"', "\x01", b"\xff"


def worst_request(body: bytes) -> Request:
    """Return the largest request that intake lets in."""
    name = "X" * 100
    room = MAX_TOTAL_BYTES - 4
    count = min(MAX_HEADERS, room // (MAX_VALUE_BYTES + len(name) + 4))
    codes = parse_codes(["200-599"] * 64)
    return Request(
        url="https://receiver.example/" + "u" * (MAX_URL_BYTES - 25),
        headers=((name, QUOTES * MAX_VALUE_BYTES),) * count,
        body=body,
        retry=RetryPolicy(intervals_ms=(10**11,) * 1_000, retry_codes=codes, fatal_codes=codes),
        success_codes=codes,
        metadata=tuple((f"{number:x}" * 256, CONTROL * 256) for number in range(16)),
        rate_key="k" * 128,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        policy="p" * 64,
    )


def worst_attempt(body: bytes, kept: bytes) -> ResultOf:
    """Return a last result with as much of everything as there can be."""
    delivery = Delivery(
        "t" * 128, "b" * 64, CONTROL * 255, "l" * 260, worst_request(body), Origin("requests", 1, 1, AT_MS), AT_MS, AT_MS,
        why=Why.RETRY,
    )  # fmt: skip
    answer = Response(500, (("h" * 200, QUOTES * 4_000),) * 100, kept, True, len(kept) + 1, "HTTP/1.1", unpacked=False)
    headers = (*delivery.request.headers, ("X-More", QUOTES * 16_384))
    return ResultOf(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        generation=1,
        attempt=1,
        outcome=Outcome.SERVER_ERROR,
        error_type=ErrorType.SERVER_ERROR,
        state=State.FAILED,
        because=Because("default.5xx", "deliver", "exhausted", detail=CONTROL * 100_000),
        at_ms=AT_MS,
        origin=delivery.origin,
        delivery=delivery,
        exchange=Exchange(answer, AT_MS, 1.0, "192.0.2.7", headers),
    )


class Wrapped:
    """A sealer that hides nothing, and adds what AES-GCM adds: nonce and tag."""

    def seal(self, plain: bytes, associated: bytes) -> tuple[str, bytes]:
        return "k" * 64, bytes(28) + plain

    def open(self, key_id: str, sealed: bytes, associated: bytes) -> bytes:
        return sealed[28:]


def size(record: OutRecord) -> int:
    """Return what Kafka counts of a record, its own framing aside."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def bodies(most: int) -> list[bytes]:
    """Return bodies of one size that take the most room, each in its way."""
    return [
        b"x" * most,
        BYTES * most,
        CONTROL.encode() * most,
        QUOTES.encode() * most,
        ("x" * 3 + QUOTES).encode() * (most // 4),
    ]


@pytest.mark.parametrize("kept", bodies(MIB), ids=["text", "bytes", "control", "quotes", "some quotes"])
@pytest.mark.parametrize("body", bodies(MIB), ids=["text", "bytes", "control", "quotes", "some quotes"])
def test_the_worst_of_a_task_fits(body: bytes, kept: bytes) -> None:
    """Of 1 MiB with an answer of which 1 MiB is kept: result, wait and dead letter fit the topics, encrypted or not."""
    last = worst_attempt(body, kept)
    assert last.delivery is not None
    most = DEFAULT_MAX_MESSAGE_BYTES - RECORD_OVERHEAD_BYTES
    for encode in (Encoder(TOPICS), Encoder(TOPICS, sealer=Wrapped())):
        for emit in (last, Held(last.delivery, "1m", AT_MS), DeadLetterOf(last.delivery, "exhausted", last, AT_MS)):
            assert size(encode(emit)) <= most


def test_the_envelope_that_settings_reckon_with_is_enough() -> None:
    """What a dead letter holds beside the two bodies is less than the settings' contract leaves room for."""
    last = worst_attempt(b"", b"")
    assert last.delivery is not None
    for encode in (Encoder(TOPICS), Encoder(TOPICS, sealer=Wrapped())):
        letter = encode(DeadLetterOf(last.delivery, "exhausted", last, AT_MS))
        assert size(letter) + RECORD_OVERHEAD_BYTES <= ENVELOPE_BYTES
    assert contradictions(Settings.model_validate({"http": {"max_response_bytes": MIB}})) == []


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (None, b"x" * (4 * MIB), ()),
        (b"k" * (2 * MIB), b"x" * (2 * MIB), ()),
        (b"k", None, (("h", b"v" * (4 * MIB)),)),
        (b"k", b"x" * MIB, (("\x01" * 10, b"v" * 10),) * 100_000),
    ],
)
def test_a_record_that_nobody_can_read_fits_too(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """A producer may fill a record to the topic's limit; its dead letter holds what there is room for, and says so."""
    raw = UnreadableOf("requests", 0, 7, AT_MS, key, value, headers, "url", "url is required " * 100_000, AT_MS)
    record = Encoder(TOPICS)(raw)
    assert size(record) <= DEFAULT_MAX_MESSAGE_BYTES
    letter = decode_dead_letter(record.value)
    assert letter.truncated
    assert (letter.value is None) is (value is None)
    assert (value or b"").startswith(letter.value or b"")
    assert headers[: len(letter.headers)] == letter.headers


def test_a_cut_record_keeps_most_of_its_value() -> None:
    """Three quarters of the topic's limit, less the envelope: what base64 has room for."""
    raw = UnreadableOf("requests", 0, 7, AT_MS, None, b"x" * (4 * MIB), (), None, "no JSON", AT_MS)
    letter = decode_dead_letter(Encoder(TOPICS)(raw).value)
    assert len(letter.value or b"") > 3 * MIB - 8 * 1024


def test_headers_are_cut_to_their_room() -> None:
    """In their order; what does not fit is left out, and small ones behind it are not."""
    huge = ("x-huge", "v" * KEPT_HEADER_BYTES)
    kept, cut = cut_headers([("a", "1"), huge, ("b", "2")])
    assert (list(kept), cut) == ([("a", "1"), ("b", "2")], True)
    usual = tuple((f"x-{number}", "ü" * 20) for number in range(30))
    assert cut_headers(usual) == (usual, False)
    many = (("n" * MAX_NAME_BYTES, "\ud800" * 100),) * 100
    kept, cut = cut_headers(many)
    assert cut
    assert sum(len(name) + 3 * len(value) for name, value in kept) <= KEPT_HEADER_BYTES


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9))))
def test_headers_in_json_are_no_shorter_than_their_count(headers: list[tuple[str, str]]) -> None:
    """So that what is short enough in JSON needs no cut, as results take it."""
    assert cut_headers(headers, len(orjson.dumps(headers))) == (headers, False)


def test_a_result_says_that_headers_were_cut() -> None:
    """The answer's and the request's, each by itself; and words are cut too."""
    last = worst_attempt(b"", b"")
    record = decode_result(Encoder(TOPICS)(last).value)
    assert record["headers_truncated"] is True
    assert record["request"]["headers_truncated"] is True
    assert len(record["why"]["detail"]) == MOST_WORDS


@pytest.mark.parametrize("most", [100, 64 * 1024, MIB])
def test_masks_do_not_make_a_body_outgrow_its_room(most: int) -> None:
    """A body of nothing but fields that are masked is cut where the masks take more room than there is."""
    body = b"[" + b",".join([b'{"p":1}'] * (most // 8)) + b"]"
    last = worst_attempt(b"x" * MIB, body)
    assert last.delivery is not None
    masking = extended(fields=["p"])
    record = decode_result(encode_result(last, masking))
    shown = from_base64(record["body_base64"]) if "body_base64" in record else record["body"].encode()
    assert b'"p":1' not in shown
    assert len(shown) <= max(len(body), 128 * 1024)
    letter = Encoder(TOPICS, masking)(DeadLetterOf(last.delivery, "exhausted", last, AT_MS))
    assert size(letter) + RECORD_OVERHEAD_BYTES <= (MIB + most) * 4 // 3 + ENVELOPE_BYTES
