"""The values that one task is made of on its way through a worker, which delivers it at the first attempt."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.prepare import Prepared
from streamer.adapters.http.routes import Caller
from streamer.adapters.http.target import Target
from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import Because, FirstPass, ResultOf
from streamer.core.entry import Entry
from streamer.core.grant import Grant
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome, Response
from streamer.core.reading import Accepted
from streamer.core.request import Request, RetryPolicy
from streamer.core.verdict import Finish
from streamer.core.waiting import Waiting
from streamer.flow.intake import RawRequest
from streamer.flow.owned import Work
from streamer.flow.settle import Settlement
from streamer.flow.steps import Now
from streamer.wire.outgoing import OutRecord
from streamer.wire.request_body import Body

#: A kind of value, how many of them a task takes, and the fields of one.
Sample = tuple[type[Struct], int, tuple[Any, ...]]

_NOW_MS = 1_767_225_600_000
_URL, _LANE, _BODY = "https://hooks.example.com/orders", "hooks.example.com", bytes(300)
_HEADERS = (("content-type", "application/json"), ("webhook-id", "tsk_1"), ("webhook-timestamp", "1767225600"))
_REQUEST = Request(_URL, headers=_HEADERS, body=_BODY)
_ORIGIN = Origin("requests", 0, 7, _NOW_MS)
_DELIVERY = Delivery("tsk_1", "acme", "order 17", _LANE, _REQUEST, _ORIGIN, _NOW_MS, _NOW_MS)
_EXCHANGE = Exchange(Response(200, _HEADERS), _NOW_MS, 4.2)
_BECAUSE = Because("success.2xx", "deliver")
_RESULT = ResultOf(
    "tsk_1",
    "acme",
    "order 17",
    1,
    1,
    Outcome.SUCCESS,
    None,
    State.SUCCEEDED,
    _BECAUSE,
    _NOW_MS,
    _ORIGIN,
    _DELIVERY,
    _EXCHANGE,
)
_KAFKA_HEADERS = (("streamer-version", b"1"), ("streamer-task", b"tsk_1"))


def of_one_task() -> tuple[Sample, ...]:
    """Return intake's, deliver's, the call's and the settlement's; of what is not a plain value None stands in the place."""
    return (
        (RawRequest, 1, ("cluster", "requests", 0, 7, _NOW_MS, None, _BODY, _KAFKA_HEADERS)),
        (Body, 1, (_BODY, "application/json", False)),
        # What intake makes, and deliver reads again.
        (Request, 2, structs.astuple(_REQUEST)),
        (Origin, 2, structs.astuple(_ORIGIN)),
        (Delivery, 2, structs.astuple(_DELIVERY)),
        (Accepted, 1, (None, "acme", None, _REQUEST, None, None, _LANE)),
        (FirstPass, 1, (_DELIVERY,)),
        # Onto `deliveries`, onto `results`, onto the changelog.
        (OutRecord, 3, ("deliveries", _BODY, b"tsk_1", 3, _KAFKA_HEADERS)),
        (RetryPolicy, 1, ((60_000, 300_000), None, 5, None, None)),
        (Work, 1, (_DELIVERY, b"digest", b"content", None, None, "deliveries", 7, False, None)),
        (Waiting, 1, (None, "acme", 5, None, False, 300, _NOW_MS)),
        (Grant, 1, (None, None, None, "acme", None, float(_NOW_MS), False)),
        (Prepared, 1, (_URL, list(_HEADERS), _HEADERS, ())),
        (Outgoing, 1, ("POST", _URL, list(_HEADERS), _BODY, 30_000, 65_536, _LANE, None, "acme", False)),
        (Target, 1, ("https", _LANE, 443)),
        (Caller, 1, (None, "acme", None, False)),
        (Response, 1, structs.astuple(_EXCHANGE.end)),
        (Exchange, 1, structs.astuple(_EXCHANGE)),
        (Finish, 1, (State.SUCCEEDED, "success", "success.2xx")),
        (Now, 1, (_NOW_MS, (), 7)),
        (Because, 1, structs.astuple(_BECAUSE)),
        (ResultOf, 1, structs.astuple(_RESULT)),
        (Entry, 1, (1, 3, 1, State.SUCCEEDED, 0, 1_767_225_600, 1_767_225_600, b"content.", 7, 0, 7, 0)),
        (Settlement, 1, (None, (), None, ())),
    )
