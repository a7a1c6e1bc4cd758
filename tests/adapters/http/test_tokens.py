"""OAuth 2 tokens: asked for once, kept, renewed before their end, and their failures told apart from the target's."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import parse_qs

import orjson
import pytest

from streamer.adapters.http.token_request import token_request
from streamer.adapters.http.tokens import Tokens
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request
from streamer.core.send_policy import Auth, AuthKind
from tests.support.sending import WallClock
from tests.support.waiting import until

AUTH = Auth(AuthKind.OAUTH2, "door", "client", "https://auth.test/token?x=CANARY", scope="a b", audience="api")
SECRET = b"CANARY-secret"


class Endpoint:
    """A token endpoint: numbered tokens, or an answer by script; it may keep its callers waiting."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: Response | Failure | None = None
        self.expires_in: object = 1_000
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, request: Request) -> Response | Failure:
        self.asked.append(request)
        number = len(self.asked)
        await self.go_on.wait()
        if self.answer is not None:
            return self.answer
        fields = {"access_token": f"token-{number}", "token_type": "bearer", "expires_in": self.expires_in}
        return Response(200, body=orjson.dumps(fields))


@pytest.fixture
def clock() -> WallClock:
    """Time that a test lets jump."""
    return WallClock()


@pytest.fixture
def endpoint() -> Endpoint:
    """An endpoint that grants."""
    return Endpoint()


@pytest.fixture
def tokens(clock: WallClock, endpoint: Endpoint) -> Tokens:
    """Tokens of that endpoint."""
    return Tokens(clock, endpoint)


async def test_one_token_serves_all_calls(tokens: Tokens, endpoint: Endpoint) -> None:
    """Calls side by side wait for one request, and later ones take what it brought."""
    assert tokens.recall(AUTH, SECRET) is None
    assert set(await asyncio.gather(*(tokens.get(AUTH, SECRET) for _ in range(20)))) == {"Bearer token-1"}
    assert tokens.recall(AUTH, SECRET) == "Bearer token-1"
    assert len(endpoint.asked) == 1


async def test_request_is_rfc_6749s(tokens: Tokens, endpoint: Endpoint) -> None:
    """The client shows id and secret in the header, each encoded as a form's value, and asks for scope and audience."""
    auth = Auth(AuthKind.OAUTH2, "door", "my client:1", "https://auth.test/token", scope="a b", audience="api")
    await tokens.get(auth, "p£:% \n".encode())
    [request] = endpoint.asked
    headers = dict(request.headers)
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"my+client%3A1:p%C2%A3%3A%25+"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    wanted = {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["api"]}
    assert (request.method, parse_qs(request.body.decode())) == ("POST", wanted)


async def test_each_credentials_have_a_token_of_their_own(tokens: Tokens, endpoint: Endpoint) -> None:
    """Another scope, audience, user, endpoint, secret's name or secret is another token."""
    others = [
        AUTH,
        Auth(AuthKind.OAUTH2, "door", "client", AUTH.token_url, "c", "api"),
        Auth(AuthKind.OAUTH2, "door", "client", AUTH.token_url, "a b", "other"),
        Auth(AuthKind.OAUTH2, "door", "other", AUTH.token_url, "a b", "api"),
        Auth(AuthKind.OAUTH2, "door", "client", "https://other.test/", "a b", "api"),
        Auth(AuthKind.OAUTH2, "gate", "client", AUTH.token_url, "a b", "api"),
    ]
    assert len({await tokens.get(auth, SECRET) for auth in others}) == len(others)
    assert await tokens.get(AUTH, b"rotated") == f"Bearer token-{len(others) + 1}"


async def test_token_is_renewed_in_the_background(tokens: Tokens, endpoint: Endpoint, clock: WallClock) -> None:
    """After three quarters of its life a token is still used while the next is asked for, once."""
    await tokens.get(AUTH, SECRET)
    clock.ahead_ms = 740_000
    assert tokens.recall(AUTH, SECRET) == "Bearer token-1"
    assert len(endpoint.asked) == 1
    clock.ahead_ms = 760_000
    endpoint.go_on.clear()
    assert [tokens.recall(AUTH, SECRET) for _ in range(5)] == ["Bearer token-1"] * 5
    await until(lambda: len(endpoint.asked) == 2)
    endpoint.go_on.set()
    await until(lambda: tokens.recall(AUTH, SECRET) == "Bearer token-2")
    assert len(endpoint.asked) == 2


async def test_failed_renewal_leaves_the_token_in_use(tokens: Tokens, endpoint: Endpoint, clock: WallClock) -> None:
    """While a token lives, an endpoint that is away is nobody's trouble; it is asked again after a rest."""
    await tokens.get(AUTH, SECRET)
    clock.ahead_ms = 760_000
    endpoint.answer = Response(503)
    assert tokens.recall(AUTH, SECRET) == "Bearer token-1"
    await until(lambda: len(endpoint.asked) == 2)
    assert [tokens.recall(AUTH, SECRET) for _ in range(9)] == ["Bearer token-1"] * 9
    clock.ahead_ms = 766_000
    assert tokens.recall(AUTH, SECRET) == "Bearer token-1"
    await until(lambda: len(endpoint.asked) == 3)
    clock.ahead_ms = 971_000
    assert tokens.recall(AUTH, SECRET) is None, "30 s before its end it is used no more"
    failure = await tokens.get(AUTH, SECRET)
    assert isinstance(failure, Failure)
    await tokens.close()


@pytest.mark.parametrize(
    ("expires_in", "until_ms"),
    [
        (1_000, 970_000),
        ("1000", 970_000),
        (10, 9_000),
        (None, 270_000),
        ("soon", 270_000),
        (-5, 900),
        (10**12, 86_370_000),
    ],
)
async def test_life_of_a_token(
    tokens: Tokens, endpoint: Endpoint, clock: WallClock, expires_in: object, until_ms: int
) -> None:
    """A token is used until a margin before its end, and for five minutes where the end is not said."""
    endpoint.expires_in = expires_in
    await tokens.get(AUTH, SECRET)
    clock.ahead_ms = until_ms - 400
    assert tokens.recall(AUTH, SECRET) is not None
    clock.ahead_ms = until_ms + 1
    assert tokens.recall(AUTH, SECRET) is None
    await tokens.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            Response(401, body=b'{"error": "invalid_client", "error_description": "CANARY"}'),
            "answered 401 (invalid_client)",
        ),
        (Response(400, body=b'{"error": "CANARY"}'), "answered 400"),
        (Response(500, body=b"CANARY"), "answered 500"),
        (Response(302, headers=(("location", "https://CANARY/"),)), "answered 302"),
        (Response(200, body=b"CANARY"), "answered 200 without an access_token"),
        (Response(200, body=b'{"access_token": "CANARY\\r\\nX: 1"}'), "answered 200 without an access_token"),
        (Response(200, body=b'{"access_token": "CANARY", "token_type": "mac"}'), "a token_type other than bearer"),
        (Failure(ErrorType.CONNECT, "Connection refused", begun=False), "connect: Connection refused"),
    ],
)
async def test_endpoints_failure_is_of_credentials(
    tokens: Tokens, endpoint: Endpoint, answer: Response | Failure, said: str
) -> None:
    """Whatever the endpoint does, the call has not begun; the message has its status, and nothing that it said."""
    endpoint.answer = answer
    failure = await tokens.get(AUTH, SECRET)
    assert isinstance(failure, Failure)
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, False)
    assert said in failure.message
    assert "https://auth.test" in failure.message
    assert "CANARY" not in failure.message


async def test_failing_endpoint_is_left_in_peace(tokens: Tokens, endpoint: Endpoint, clock: WallClock) -> None:
    """A backlog asks an endpoint that fails once in five seconds, not once per task; a new secret asks at once."""
    endpoint.answer = Response(500)
    for _ in range(50):
        assert isinstance(await tokens.get(AUTH, SECRET), Failure)
    assert len(endpoint.asked) == 1
    endpoint.answer = None
    clock.ahead_ms = 5_001
    assert await tokens.get(AUTH, SECRET) == "Bearer token-2"


async def test_caller_that_gives_up_takes_no_token_from_others(tokens: Tokens, endpoint: Endpoint) -> None:
    """A call whose time is over stops waiting; the request goes on for those that still wait."""
    endpoint.go_on.clear()
    impatient, patient = (asyncio.create_task(tokens.get(AUTH, SECRET)) for _ in range(2))
    await until(lambda: len(endpoint.asked) == 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    endpoint.go_on.set()
    assert await patient == "Bearer token-1"


async def test_refused_token_is_dropped_unless_it_is_young(
    tokens: Tokens, endpoint: Endpoint, clock: WallClock
) -> None:
    """A target that refuses every token costs the endpoint one request in 30 seconds."""
    await tokens.get(AUTH, SECRET)
    assert not tokens.drop(AUTH, "Bearer token-1"), "it was fetched just now"
    clock.ahead_ms = 30_001
    assert tokens.drop(AUTH, "Bearer token-1")
    assert tokens.recall(AUTH, SECRET) is None
    assert await tokens.get(AUTH, SECRET) == "Bearer token-2"
    assert tokens.drop(AUTH, "Bearer token-1"), "another one is there already"
    assert tokens.recall(AUTH, SECRET) == "Bearer token-2"
    assert not tokens.drop(AUTH, "Bearer token-2")
    assert not tokens.drop(AUTH, "Basic dGFza3M6b3du")


async def test_nothing_shows_a_token_or_a_secret(tokens: Tokens, endpoint: Endpoint) -> None:
    """What is kept tells neither when it is printed."""
    await tokens.get(AUTH, SECRET)
    shown = repr(tokens._kept)
    assert "token-1" not in shown
    assert "CANARY-secret" not in shown


def test_secret_that_is_no_text_asks_nobody() -> None:
    """A client's secret is text."""
    assert isinstance(token_request(AUTH, b"\xff"), Failure)
