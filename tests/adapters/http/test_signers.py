"""Signers of other packages: what they are asked, what goes on the wire, and what is left of it where people look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from streamer.adapters.demo.exchange import Answer
from streamer.adapters.extensions.loader import Loaded
from streamer.adapters.extensions.signers import Signers
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.send_policy import Auth, AuthKind, SecretScope
from streamer.extensions import Call, Signer
from tests.adapters.http.conftest import MakeSender
from tests.support.held_secrets import HeldSecrets
from tests.support.policies import Sayings, delivery_to
from tests.support.receiver import Receiver

KEY = "CANARY-key/of+the=signer"


class Says:
    """A signer that returns what it is told, or raises it, and keeps the calls that it was asked about."""

    def __init__(self, *says: object) -> None:
        self.says: Any = says[0] if len(says) == 1 and not isinstance(says[0], tuple) else says
        self.calls: list[Call] = []

    async def headers(self, call: Call) -> Sequence[tuple[str, str]]:
        self.calls.append(call)
        if isinstance(self.says, BaseException):
            raise self.says
        said: Sequence[tuple[str, str]] = self.says
        return said


def signers(*them: Signer, meter: MemoryMeter | None = None, given: dict[str, bytes] | None = None) -> Signers:
    """Return signers named a, b, c."""
    loaded = [Loaded(name, "acme 1.0", signer, given or {}) for name, signer in zip("abc", them, strict=False)]
    return Signers(loaded, meter or MemoryMeter())


def failed(exchange: Exchange, receiver: Receiver) -> str:
    """Return the message of a call that was never made."""
    end = exchange.end
    assert isinstance(end, Failure), end
    assert (end.error, end.begun) == (ErrorType.CREDENTIALS, False)
    assert receiver.arrivals == []
    assert "CANARY" not in end.message
    return end.message


async def test_headers_go_on_the_wire_and_stay_unseen(make_sender: MakeSender, receiver: Receiver) -> None:
    """The target has them, the exchange shows that there were some, and an echo of them is kept without their values."""
    echo = f"you are {KEY}, in hex {KEY.encode().hex()}".encode()
    url = receiver.on("/echo", Answer(headers=(("x-echo", KEY),), body=echo))
    sender = make_sender(signers=signers(Says(("Authorization", f"Acme {KEY}"), ("X-Acme-Date", "20260101T000000Z"))))
    exchange = await sender.send(delivery_to(Request(url)))
    [arrival] = receiver.arrivals
    assert (arrival.header("authorization"), arrival.header("x-acme-date")) == (f"Acme {KEY}", "20260101T000000Z")
    shown = dict(exchange.sent_headers)
    assert (shown["Authorization"], shown["X-Acme-Date"]) == ("***", "***")
    assert isinstance(exchange.end, Response)
    assert exchange.end.body == b"you are ***, in hex ***"
    assert "CANARY" not in repr(exchange)


async def test_signers_see_the_call_as_it_goes_and_each_other(make_sender: MakeSender, receiver: Receiver) -> None:
    """Secrets are put in, all of our headers are there, and a header of a name that is there takes its place."""
    url = receiver.on("/hook", Answer())
    first, second = Says(("X-Request-ID", "one"), ("X-One", "1")), Says(("x-one", "2"))
    allowed = Policy(scope=SecretScope((delivery_to(Request(url)).lane,)))
    book = PolicyBook(secrets={"token": allowed})
    sender = make_sender(policies=lambda: book, secrets=HeldSecrets(token=b"s3cret"), signers=signers(first, second))
    request = Request(f"{url}?key=${{secret:token}}", headers=(("X-Mine", "m"),), body=b"body", metadata=(("a", "b"),))
    exchange = await sender.send(delivery_to(request))
    assert isinstance(exchange.end, Response), exchange.end
    [call], [later] = first.calls, second.calls
    assert (call.url, call.body, call.method, call.metadata) == (f"{url}?key=s3cret", b"body", "POST", (("a", "b"),))
    assert {"X-Mine", "webhook-id", "X-Streamer-Task", "traceparent"} <= {name for name, _ in call.headers}
    assert dict(later.headers)["X-Request-ID"] == "one"
    [arrival] = receiver.arrivals
    assert [value for name, value in arrival.headers if name.lower() == "x-one"] == ["2"]
    assert [value for name, value in arrival.headers if name.lower() == "x-request-id"] == ["one"]


async def test_a_signer_may_leave_a_call_as_it_is(make_sender: MakeSender, receiver: Receiver) -> None:
    """No headers are no fault."""
    exchange = await make_sender(signers=signers(Says([]))).send(delivery_to(Request(receiver.url)))
    assert isinstance(exchange.end, Response)
    assert "***" not in dict(exchange.sent_headers).values()


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (KeyError("region"), "extension a: KeyError: 'region' (test_signers.py, line "),
        (TimeoutError("of its own"), "extension a: TimeoutError: of its own (test_signers.py, line "),
        (asyncio.CancelledError(), "extension a: CancelledError (test_signers.py, line "),
        (None, "extension a: returned NoneType, where a sequence of names and values is due"),
        ({"X-A": "b"}, "extension a: returned dict, where a sequence of names and values is due"),
        (["X-A"], "extension a: returned what is no pair of two texts, name and value"),
        ([("X-A", b"b")], "extension a: returned what is no pair of two texts, name and value"),
        ([("Host", "x")], "extension a: returned a header that may not be sent: headers may not set Host: "),
        ([("webhook-id", "x")], "extension a: returned a header that may not be sent: headers may not set webhook-id"),
        ([("Webhook_Signature", "x")], "extension a: returned a header that may not be sent: headers may not set"),
        ([("X A", "x")], "extension a: returned a header that may not be sent: headers has the name 'X A'"),
        ([("X-A", "a\r\nb: c")], "extension a: returned X-A, whose value may have visible ASCII characters"),
        ([("Date", "a"), ("date", "b")], "extension a: returned date more than once; one is allowed"),
        ([("X-A", "b")] * 65, "extension a: returned 65 headers; at most 64 are allowed"),
        ([(f"X-{n}", "b" * 16_000) for n in range(3)], "extension a: returned headers of 48021 bytes; at most 32768"),
    ],
)
async def test_a_signer_that_fails_is_named_and_nothing_is_sent(
    make_sender: MakeSender, receiver: Receiver, says: object, told: str
) -> None:
    """The attempt fails for want of credentials, which is tried again; the signers behind it are not asked."""
    meter, behind = MemoryMeter(), Says([])
    sender = make_sender(signers=signers(Says(says), behind, meter=meter))
    message = failed(await sender.send(delivery_to(Request(receiver.url))), receiver)
    assert message.startswith(told)
    assert (meter.counted("extension_errors", "a"), behind.calls) == (1, [])


async def test_a_signer_may_set_the_signature(make_sender: MakeSender, receiver: Receiver) -> None:
    """Of the headers that tasks may not set, this one alone."""
    await make_sender(signers=signers(Says(("webhook-signature", "v1,abc")))).send(delivery_to(Request(receiver.url)))
    assert receiver.arrivals[0].header("webhook-signature") == "v1,abc"


async def test_an_error_tells_no_secret(make_sender: MakeSender, receiver: Receiver) -> None:
    """Neither what the signer has read, nor what the task keeps to itself, in any way of writing it."""
    words = f"bad key {KEY} or {KEY.encode().hex()} for Bearer CANARY-of-the-task"
    sender = make_sender(signers=signers(Says(ValueError(words)), given={"key": KEY.encode()}))
    request = Request(receiver.url, headers=(("Authorization", "Bearer CANARY-of-the-task"),))
    message = failed(await sender.send(delivery_to(request)), receiver)
    assert message.startswith("extension a: ValueError: bad key *** or *** for ***")


class Waits:
    """A signer that never comes to an end."""

    async def headers(self, call: Call) -> Sequence[tuple[str, str]]:
        await asyncio.Event().wait()
        return ()


async def test_a_signer_that_is_too_late_is_named(make_sender: MakeSender, receiver: Receiver) -> None:
    """It has the call's time, and the call is not made."""
    meter = MemoryMeter()
    sender = make_sender(signers=signers(Waits(), meter=meter))
    message = failed(await sender.send(delivery_to(Request(receiver.url, timeout_ms=50))), receiver)
    assert message == "extension a: its headers were not there within the call's time"
    assert meter.counted("extension_errors", "a") == 1


async def test_a_call_that_is_given_up_gives_up_its_signer(make_sender: MakeSender, receiver: Receiver) -> None:
    """What cancels the call is no fault of the signer's, and goes on."""
    meter = MemoryMeter()
    sender = make_sender(signers=signers(Waits(), meter=meter))
    calling = asyncio.create_task(sender.send(delivery_to(Request(receiver.url))))
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert meter.counted("extension_errors") == 0


async def test_a_call_with_a_new_token_is_signed_anew(make_sender: MakeSender, receiver: Receiver) -> None:
    """The signer sees the token of each."""
    tokens = [Answer(body=orjson.dumps({"access_token": f"token-{n}", "expires_in": 3600})) for n in (1, 2, 3)]
    auth = Auth(AuthKind.OAUTH2, "door", "me", receiver.on("/token", *tokens))
    url = receiver.on("/hook", Answer(), Answer(401), Answer())
    sayings, signer = Sayings(), Says(("X-Signed", "yes"))
    sayings.say(url, Policy(auth=auth))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=b"secret"), signers=signers(signer))
    await sender.send(delivery_to(Request(url)))
    sender._clock.ahead_ms += 60_000  # type: ignore[attr-defined]
    exchange = await sender.send(delivery_to(Request(url)))
    assert isinstance(exchange.end, Response)
    assert exchange.end.status == 200
    hooks = [arrival for arrival in receiver.arrivals if arrival.path == "/hook"]
    assert [hook.header("authorization") for hook in hooks] == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert [hook.header("x-signed") for hook in hooks] == ["yes"] * 3
    assert [dict(call.headers)["Authorization"] for call in signer.calls] == [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_refused_authorization_of_a_signer_is_not_tried_again(
    make_sender: MakeSender, receiver: Receiver
) -> None:
    """It took the place of the domain's token, which another one of would change nothing; and nobody's token is dropped."""
    token = Answer(body=orjson.dumps({"access_token": "token-1", "expires_in": 3600}))
    auth = Auth(AuthKind.OAUTH2, "door", "me", receiver.on("/token", token))
    url = receiver.on("/hook", Answer(401))
    sayings = Sayings()
    sayings.say(url, Policy(auth=auth))
    signer = Says(("Authorization", "Acme instead"))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=b"secret"), signers=signers(signer))
    for _ in range(2):
        exchange = await sender.send(delivery_to(Request(url)))
        assert isinstance(exchange.end, Response)
        assert exchange.end.status == 401
        sender._clock.ahead_ms += 60_000  # type: ignore[attr-defined]
    assert [arrival.path for arrival in receiver.arrivals] == ["/token", "/hook", "/hook"]


async def test_a_signers_authorization_is_shown_to_public_addresses_over_https_only(make_sender: MakeSender) -> None:
    """Who writes the URL chooses the scheme, and must not lay the signer's word open to the whole way."""
    sender = make_sender(signers=signers(Says(("authorization", "Acme x"))))
    exchange = await sender.send(delivery_to(Request("http://1.1.1.1/")))
    assert isinstance(exchange.end, Failure)
    assert exchange.end.error is ErrorType.BLOCKED
    assert "over https only" in exchange.end.message
