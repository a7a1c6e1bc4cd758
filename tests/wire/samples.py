"""Deliveries, commands and results for the tests of records: one of each by hand, and any of them by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from streamer.core.codes import Codes, parse_codes
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery, Origin, Why
from streamer.core.emit import Because, ResultOf
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Exchange, Failure, Outcome, Response
from streamer.core.request import METHODS, Backoff, Request, RetryPolicy

AT_MS = 1_767_225_600_000

REQUEST = Request(
    url="https://example.com/hooks",
    headers=(("Content-Type", "application/json"), ("Authorization", "Bearer secret")),
    body=b'{"order":1}',
    metadata=(("order", "1"),),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
DELIVERY = Delivery(
    task_id="tsk_00ff",
    business="acme",
    business_id="o-1",
    lane="example.com",
    request=REQUEST,
    origin=Origin("requests", 3, 12_345, AT_MS),
    accepted_at_ms=AT_MS + 5,
    due_at_ms=AT_MS + 60_000,
    attempt=2,
    seen=True,
    epoch=7,
    why=Why.RETRY,
)
WAITING = Delivery(
    task_id="tsk_00fe",
    business="acme",
    business_id=None,
    lane="example.com",
    request=Request(url="https://example.com/hooks", rate_key="gateway", policy="gentle"),
    origin=Origin("requests", 3, 12_346, AT_MS),
    accepted_at_ms=AT_MS + 5,
    due_at_ms=AT_MS + 60_000,
    generation=2,
    seen=True,
    epoch=7,
    why=Why.RATE,
    promise_ms=AT_MS + 62_000,
    command_id="cmd_1",
    shard=1,
    waits=3,
    slot_ms=AT_MS + 59_000,
    revision=2,
)
EXCHANGE = Exchange(
    end=Response(200, (("Content-Type", "text/plain"), ("Set-Cookie", "a=b")), b"ok", False, 2, "HTTP/1.1"),
    started_at_ms=AT_MS + 6,
    duration_ms=3.21749,
    address="192.0.2.7",
    sent_headers=(("Authorization", "Bearer secret"), ("webhook-id", "tsk_00ff")),
)
FAILED = Exchange(Failure(ErrorType.CONNECT, "connection refused"), AT_MS + 6, 1.5, "192.0.2.7")


def result(
    outcome: Outcome = Outcome.SUCCESS,
    state: State | None = State.SUCCEEDED,
    exchange: Exchange | None = EXCHANGE,
    because: Because | None = None,
    command_id: str | None = None,
    delivery: Delivery | None = DELIVERY,
) -> ResultOf:
    """Return a result of the sample delivery."""
    return ResultOf(
        task_id=DELIVERY.task_id,
        business=DELIVERY.business,
        business_id=DELIVERY.business_id,
        generation=1,
        attempt=2,
        outcome=outcome,
        error_type=ErrorType.CONNECT if exchange is FAILED else None,
        state=state,
        because=because or Because("success_codes", "deliver", reason="succeeded"),
        at_ms=AT_MS + 10,
        delivery=delivery,
        exchange=exchange,
        command_id=command_id,
    )


_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
_pairs = st.lists(st.tuples(_texts, _texts), max_size=3).map(tuple)
_instants = st.integers(0, 1 << 53).filter(lambda at_ms: at_ms < 1 << 53)
_counts = st.integers(1, (1 << 31) - 1)


@st.composite
def _codes(draw: st.DrawFn) -> Codes:
    items = draw(st.lists(st.sampled_from(["2xx", "5xx", "404", "200-204", "500-599"]), max_size=3))
    return parse_codes(items)


_backoffs = st.builds(
    Backoff,
    initial_ms=st.integers(1, 1 << 40),
    multiplier=st.floats(1, 100),
    max_ms=st.integers(1, 1 << 40),
    jitter=st.floats(0, 1),
)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    """Retry policies with intervals or a backoff."""
    grows = draw(st.booleans())
    return RetryPolicy(
        intervals_ms=None if grows else tuple(draw(st.lists(st.integers(0, 1 << 40), max_size=11))),
        backoff=draw(_backoffs) if grows else None,
        max_attempts=draw(st.none() | _counts),
        retry_codes=draw(st.none() | _codes()),
        fatal_codes=draw(st.none() | _codes()),
    )


requests = st.builds(
    Request,
    url=_names.map("https://example.com/".__add__),
    method=st.sampled_from(METHODS),
    headers=_pairs,
    body=st.binary(max_size=50) | _texts.map(str.encode),
    timeout_ms=_counts,
    retry=policies(),
    success_codes=st.none() | _codes(),
    expires_at_ms=st.none() | _instants,
    priority=st.integers(1, 10),
    rate_key=st.none() | _names,
    sign=st.booleans(),
    metadata=_pairs,
    traceparent=st.none() | _names,
    policy=st.none() | _names,
)
deliveries = st.builds(
    Delivery,
    task_id=_names,
    business=_names,
    business_id=st.none() | _texts,
    lane=_names,
    request=requests,
    origin=st.builds(Origin, _names, st.integers(0, 0xFFFF), st.integers(0, (1 << 48) - 1), st.integers(-1, 1 << 47)),
    accepted_at_ms=_instants,
    due_at_ms=_instants,
    generation=_counts,
    attempt=_counts,
    seen=st.booleans(),
    epoch=_counts | st.just(0),
    why=st.none() | st.sampled_from(Why),
    faults=_counts | st.just(0),
    promise_ms=st.none() | _instants,
    command_id=st.none() | _names,
    shard=st.integers(0, 0xFFFF),
    waits=_counts | st.just(0),
    slot_ms=st.none() | _instants,
    revision=_counts | st.just(0),
)


@st.composite
def commands(draw: st.DrawFn) -> Command:
    """Commands of every verb; all but cancel carry a delivery of their task."""
    verb = draw(st.sampled_from(Verb))
    delivery = None if verb is Verb.CANCEL else draw(deliveries)
    return Command(
        command_id=draw(_names),
        verb=verb,
        task_id=draw(_names) if delivery is None else delivery.task_id,
        lane=draw(_names),
        expect_generation=draw(st.none() | _counts),
        delivery=delivery,
        by=draw(_names),
        # The years that RFC 3339 can write.
        at_ms=draw(st.integers(0, 253_402_300_799_999)),
        force=draw(st.booleans()),
    )
