"""Credentials on the wire: whose calls have them, where they never go, and a token that a target refuses."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from streamer.adapters.demo.exchange import OK, SILENCE, Answer
from streamer.adapters.http.guard import AddressPolicy
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.policy import Policy
from streamer.core.request import Request
from streamer.core.send_policy import Auth, AuthKind
from tests.adapters.http.conftest import MakeSender
from tests.support.held_secrets import HeldSecrets
from tests.support.policies import Sayings, delivery_to
from tests.support.receiver import Receiver

PASSWORD = b"CANARY-pa55"
BASIC = Auth(AuthKind.BASIC, "door", "me")
VALUE = "Basic bWU6Q0FOQVJZLXBhNTU="


def token(number: int, **fields: object) -> Answer:
    return Answer(body=orjson.dumps({"access_token": f"CANARY-{number}", "expires_in": 3600, **fields}))


def oauth2(receiver: Receiver, *answers: Answer) -> Auth:
    """Return credentials whose token endpoint is the receiver itself."""
    url = receiver.on("/token", *(answers or (token(1), token(2), token(3))))
    return Auth(AuthKind.OAUTH2, "door", "me", url)


def seen(receiver: Receiver, path: str) -> list[str | None]:
    """Return the Authorization headers of the calls to a path."""
    return [arrival.header("authorization") for arrival in receiver.arrivals if arrival.path == path]


def failure_of(exchange: Exchange) -> Failure:
    """Return the failure of a call that was not begun."""
    assert isinstance(exchange.end, Failure), exchange.end
    assert "CANARY" not in exchange.end.message
    return exchange.end


@pytest.mark.parametrize("slow", [False, True])
async def test_domains_credentials_go_with_the_call_and_stay_unseen(
    make_sender: MakeSender, receiver: Receiver, slow: bool
) -> None:
    """The target gets the header, the exchange shows that there was one, and an echo of it is kept without it."""
    url = receiver.on("/echo", Answer(headers=(("x-echo", VALUE),), body=f"you are {VALUE}".encode()))
    sayings = Sayings()
    sayings.say(url, Policy(auth=BASIC))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(slow, door=PASSWORD))
    exchange = await sender.send(delivery_to(Request(url)))
    assert isinstance(exchange.end, Response)
    assert seen(receiver, "/echo") == [VALUE]
    assert dict(exchange.sent_headers)["Authorization"] == "***"
    assert VALUE.partition(" ")[2] not in repr(exchange)


async def test_tasks_own_word_goes_before(make_sender: MakeSender, receiver: Receiver) -> None:
    """A task that brings an Authorization header is sent with that one alone, and a 401 to it drops nobody's token."""
    url = receiver.on("/own", Answer(401))
    sayings = Sayings()
    sayings.say(url, Policy(auth=oauth2(receiver)))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    await sender.send(delivery_to(Request(url, headers=(("authorization", "Mine 1"),))))
    assert seen(receiver, "/own") == ["Mine 1"]
    assert seen(receiver, "/token") == []


async def test_credentials_are_for_the_businesses_that_are_named(make_sender: MakeSender, receiver: Receiver) -> None:
    """Another tenant's task for the same domain is sent without."""
    sayings = Sayings()
    sayings.say(receiver.url, Policy(auth=replace(BASIC, businesses=("acme",))))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    for business in ("acme", "other"):
        await sender.send(delivery_to(Request(receiver.url + "/"), business=business))
    assert seen(receiver, "/") == [VALUE, None]


async def test_credentials_cross_no_open_street(make_sender: MakeSender, receiver: Receiver) -> None:
    """Over http to a public address they would be read by everybody in between, so such a call is not made."""

    async def public(host: str) -> tuple[str, ...]:
        return ("93.184.215.14",)

    sayings = Sayings()
    sayings.say("http://public.test/", Policy(auth=BASIC))
    sender = make_sender(AddressPolicy(), look_up=public, policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    failure = failure_of(await sender.send(delivery_to(Request("http://public.test/"))))
    assert (failure.error, failure.begun) == (ErrorType.BLOCKED, False)
    assert "over https only" in failure.message


@pytest.mark.parametrize("secrets", [None, HeldSecrets()])
async def test_missing_secret_is_a_failure_of_ours(
    make_sender: MakeSender, receiver: Receiver, secrets: HeldSecrets | None
) -> None:
    """Without the secret nothing is sent, and the task waits for whoever sets it."""
    sayings = Sayings()
    sayings.say(receiver.url, Policy(auth=BASIC))
    failure = failure_of(await make_sender(policies=sayings, secrets=secrets).send(delivery_to(Request(receiver.url))))
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, False)
    assert "secret door" in failure.message
    assert receiver.arrivals == []


async def test_token_is_fetched_once_and_shown(make_sender: MakeSender, receiver: Receiver) -> None:
    """Calls of a domain share a token, which its endpoint got the client's secret for."""
    url = receiver.on("/a", OK)
    sayings = Sayings()
    sayings.say(url, Policy(auth=oauth2(receiver)))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    ends = [(await sender.send(delivery_to(Request(url)))).end for _ in range(3)]
    assert all(isinstance(end, Response) and end.status == 200 for end in ends)
    assert seen(receiver, "/a") == ["Bearer CANARY-1"] * 3
    assert seen(receiver, "/token") == [VALUE]


async def test_refused_token_is_renewed_within_the_attempt(make_sender: MakeSender, receiver: Receiver) -> None:
    """A target that takes a token no more gets a new one at once; if it refuses that too, its 401 is the answer."""
    url = receiver.on("/a", OK, Answer(401), OK, Answer(401))
    sayings = Sayings()
    sayings.say(url, Policy(auth=oauth2(receiver)))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    clock = sender._clock

    async def status() -> int:
        exchange = await sender.send(delivery_to(Request(url)))
        assert isinstance(exchange.end, Response), exchange.end
        assert dict(exchange.sent_headers)["Authorization"] == "***"
        return exchange.end.status

    assert await status() == 200
    clock.ahead_ms = 31_000  # type: ignore[attr-defined]
    assert await status() == 200
    assert seen(receiver, "/a") == ["Bearer CANARY-1", "Bearer CANARY-1", "Bearer CANARY-2"]
    assert await status() == 401
    assert await status() == 401
    assert len(seen(receiver, "/token")) == 2, "a token that was fetched just now is not fetched again"


async def test_refused_token_without_another_is_a_failure_of_ours(make_sender: MakeSender, receiver: Receiver) -> None:
    """When the endpoint fails just then, the task must not end for the target's 401."""
    url = receiver.on("/a", OK, Answer(401))
    sayings = Sayings()
    sayings.say(url, Policy(auth=oauth2(receiver, token(1), Answer(503))))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    await sender.send(delivery_to(Request(url)))
    sender._clock.ahead_ms = 31_000  # type: ignore[attr-defined]
    failure = failure_of(await sender.send(delivery_to(Request(url))))
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, True)
    assert "answered 503" in failure.message


async def test_token_endpoint_is_guarded_as_every_target(make_sender: MakeSender, receiver: Receiver) -> None:
    """The way to a token leads past the same rules: metadata services grant nothing."""
    auth = Auth(AuthKind.OAUTH2, "door", "me", "http://169.254.169.254/token")
    sayings = Sayings()
    sayings.say(receiver.url, Policy(auth=auth))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    failure = failure_of(await sender.send(delivery_to(Request(receiver.url))))
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, False)
    assert "blocked" in failure.message
    assert receiver.arrivals == []


async def test_silent_token_endpoint_takes_no_more_than_the_calls_time(
    make_sender: MakeSender, receiver: Receiver
) -> None:
    """Who waits for a token waits within the task's own timeout."""
    sayings = Sayings()
    sayings.say(receiver.url, Policy(auth=oauth2(receiver, SILENCE)))
    sender = make_sender(policies=sayings, secrets=HeldSecrets(door=PASSWORD))
    exchange = await sender.send(delivery_to(Request(receiver.url, timeout_ms=300)))
    failure = failure_of(exchange)
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, False)
    assert 290 <= exchange.duration_ms < 1_500
    assert [arrival.path for arrival in receiver.arrivals] == ["/token"]
