"""Signed calls over a real connection: what is signed is what arrives, byte by byte, at every attempt."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Mapping

import pytest
from standardwebhooks.webhooks import Webhook

from streamer.adapters.demo.exchange import Arrival
from streamer.adapters.http.sender import HttpSender
from streamer.adapters.http.verification import verify
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.send_policy import SigningKey
from tests.adapters.http.conftest import MakeSender
from tests.support.receiver import Receiver
from tests.support.sending import TASK_ID, delivery_of

NEW = b"whsec_" + b64encode(bytes(range(32)))
OLD = b"whsec_" + b64encode(bytes(range(1, 33)))
KEYS = {"new": NEW, "old": OLD, "short": b"whsec_" + b64encode(bytes(23))}


class Known:
    """Secrets that are at hand."""

    def peek(self, name: str) -> bytes | None:
        return KEYS.get(name)

    async def get(self, name: str) -> bytes:
        return KEYS[name]


def signing_sender(make_sender: MakeSender, *keys: SigningKey) -> HttpSender:
    """Return a sender for which a business has these keys."""
    book = PolicyBook(businesses={"acme": Policy(signing=keys)})
    return make_sender(policies=lambda: book, secrets=Known())


def headers_of(arrival: Arrival) -> Mapping[str, str]:
    """Return the headers that came, by their names in lower case."""
    return {name.lower(): value for name, value in arrival.headers}


def valid(arrival: Arrival, key: bytes) -> bool:
    """Tell whether an arrival is signed by a key."""
    return verify([key], headers_of(arrival), arrival.body, arrival.at_ms // 1000) is None


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_the_bytes_on_the_wire_are_the_bytes_that_are_signed(
    make_sender: MakeSender, receiver: Receiver, method: str
) -> None:
    """E1: bodies of any bytes, none and 1 MB, by two keys; a receiver with either of them takes all."""
    chance = random.Random(7)
    sender = signing_sender(make_sender, SigningKey("new"), SigningKey("old"))
    bodies = [b"", b"\x00", "é\r\n".encode(), b"\xff\xfe", chance.randbytes(1_048_576)]
    bodies += [chance.randbytes(chance.randrange(2_000)) for _ in range(20)]
    for body in bodies:
        exchange = await sender.send(delivery_of(Request(receiver.url, method, body=body, sign=True)))
        assert isinstance(exchange.end, Response), exchange.end
    assert [arrival.body for arrival in receiver.arrivals] == bodies
    for arrival in receiver.arrivals:
        assert (valid(arrival, NEW), valid(arrival, OLD)) == (True, True)
    first = receiver.arrivals[0]
    Webhook(NEW.decode()).verify(first.body, dict(headers_of(first)), json_parse=False)


async def test_an_attempt_is_signed_anew_under_the_same_id(make_sender: MakeSender, receiver: Receiver) -> None:
    """E3: a retry bears the id of the first call and its own time, so that it is not refused for its age."""
    sender = signing_sender(make_sender, SigningKey("new"))
    request = Request(receiver.url, body=b"x", sign=True)
    for attempt in (1, 2):
        await sender.send(delivery_of(request, attempt=attempt))
    first, second = receiver.arrivals
    assert headers_of(first)["webhook-id"] == headers_of(second)["webhook-id"] == TASK_ID
    for arrival in (first, second):
        assert valid(arrival, NEW)
        assert abs(int(headers_of(arrival)["webhook-timestamp"]) - arrival.at_ms / 1000) < 2


async def test_who_asks_for_no_signature_gets_none(make_sender: MakeSender, receiver: Receiver) -> None:
    """Keys alone sign nothing."""
    sender = signing_sender(make_sender, SigningKey("new"))
    await sender.send(delivery_of(Request(receiver.url, body=b"x")))
    assert "webhook-signature" not in headers_of(receiver.arrivals[0])


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ((), "no signing key is set for business acme"),
        ((SigningKey("new", until_ms=1),), "no signing key is set for business acme"),
        ((SigningKey("short"),), "holds 23 bytes after whsec_; 24 to 64 are allowed"),
    ],
)
async def test_without_a_good_key_nothing_is_sent(
    make_sender: MakeSender, receiver: Receiver, keys: tuple[SigningKey, ...], part: str
) -> None:
    """A task that asks for a signature is never sent without one: it fails, retryable, before the first byte."""
    exchange = await signing_sender(make_sender, *keys).send(delivery_of(Request(receiver.url, sign=True)))
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (ErrorType.CREDENTIALS, False)
    assert part in exchange.end.message
    assert receiver.arrivals == []
