"""The trace of a request record: the producer's where it is one, beside what belongs to it."""

from __future__ import annotations

import pytest

from streamer.wire.trace_context import KafkaHeaders, Pairs, trace_of_record

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00"
KAFKA = ("traceparent", TRACE.encode())


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (b"rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"),
        (b"rojo=1 , congo=t61rcWkgMzE\t", "rojo=1,congo=t61rcWkgMzE"),
        (b"fw529a3039@dt=FfAA;2", "fw529a3039@dt=FfAA;2"),
        (b"a=" + b"v" * 256, "a=" + "v" * 256),
        (b"", None),
        (b",", None),
        (b"a", None),
        (b"a=", None),
        (b"A=1", None),
        (b"a=1\r\nX: y", None),
        (b"a=1=2", None),
        (b"a=\xff", None),
        (b"a=" + b"v" * 257, None),
        (b",".join(b"k%d=1" % number for number in range(33)), None),
        (b"a=" + b"v" * 256 + b",b=" + b"v" * 256, None),
    ],
)
def test_tracestate(state: bytes, kept: str | None) -> None:
    """A state of good members travels as a header of the request; what is malformed is left out, and refuses nothing."""
    expected = () if kept is None else (("tracestate", kept),)
    assert trace_of_record([KAFKA, ("tracestate", state)], ()) == (TRACE, expected)


def test_several_states_are_one() -> None:
    """Kafka headers of one name are one list (RFC 9110 §5.3)."""
    found = trace_of_record([("tracestate", b"a=1"), KAFKA, ("tracestate", None), ("tracestate", b"b=2")], ())
    assert found == (TRACE, (("tracestate", "a=1,b=2"),))


@pytest.mark.parametrize(
    ("kafka", "headers", "expected"),
    [
        ([], (), (None, ())),
        ([("tracestate", b"a=1")], (), (None, ())),
        ([("traceparent", b"no"), ("tracestate", b"a=1")], (), (None, ())),
        ([KAFKA], (("TraceParent", OTHER),), (OTHER, (("TraceParent", OTHER),))),
        ([KAFKA, ("tracestate", b"a=1")], (("traceparent", OTHER),), (OTHER, (("traceparent", OTHER),))),
        ([KAFKA], (("traceparent", "mine"),), (None, (("traceparent", "mine"),))),
        ([KAFKA, ("tracestate", b"a=1")], (("Tracestate", "b=2"),), (TRACE, (("Tracestate", "b=2"),))),
    ],
)
def test_whose_trace_it_is(kafka: KafkaHeaders, headers: Pairs, expected: tuple[str | None, Pairs]) -> None:
    """The request's own header goes first, and a state never goes with another party's parent."""
    assert trace_of_record(kafka, headers) == expected
