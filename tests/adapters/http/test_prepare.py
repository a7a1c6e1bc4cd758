"""Calls are made ready: secrets put in where they may be, credentials and signatures added, and nothing shown of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from rich.pretty import pretty_repr

from streamer.adapters.http.auth import Credentials
from streamer.adapters.http.filled_request import MAX_VALUE_BYTES
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.prepare import Prepared, Preparer
from streamer.adapters.http.secrets import SecretMissing
from streamer.adapters.http.tokens import Tokens
from streamer.core.delivery import Delivery, Origin
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.send_policy import Auth, AuthKind, SecretScope, SendPolicy, SigningKey
from tests.support.sending import WallClock

NOW_MS = 1_767_225_600_000
PLAIN = SendPolicy()
SIGNING = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BASIC = Auth(AuthKind.BASIC, "password", user="us")


class KnownSecrets:
    """Values by name, at hand or to be waited for."""

    def __init__(self, values: Mapping[str, bytes], *, at_hand: bool = True) -> None:
        self._values = values
        self._at_hand = at_hand

    def peek(self, name: str) -> bytes | None:
        return self._values.get(name) if self._at_hand else None

    async def get(self, name: str) -> bytes:
        if name not in self._values:
            raise SecretMissing(name, "is not set")
        return self._values[name]


def book(**scopes: SecretScope) -> PolicyBook:
    """Return policies that say who may name which secret."""
    return PolicyBook(secrets={name: Policy(scope=scope) for name, scope in scopes.items()})


OPEN = book(token=SecretScope(("example.com",)), other=SecretScope(("*.example.com",)))


def delivery_of(request: Request, business: str = "acme", business_id: str | None = None) -> Delivery:
    """Return a delivery to example.com."""
    return Delivery("tsk_1", business, business_id, "example.com", request, Origin("requests", 0, 0, 0), 0, 0)


async def prepared(
    request: Request,
    values: Mapping[str, bytes],
    *,
    how: SendPolicy = PLAIN,
    policies: PolicyBook = OPEN,
    business: str = "acme",
    business_id: str | None = None,
) -> Prepared | Failure:
    """Make a call ready with values at hand and with values to be waited for, which must come to the same."""
    delivery, ends = delivery_of(request, business, business_id), []
    for at_hand in (True, False):
        credentials = Credentials(Tokens(WallClock(), _no_call))
        preparer = Preparer(lambda: policies, KnownSecrets(values, at_hand=at_hand), credentials, "agent")
        ends.append(preparer.at_once(delivery, how, NOW_MS) or await preparer.prepare(delivery, how, NOW_MS))
    assert ends[0] == ends[1]
    return ends[0]


async def ready(request: Request, values: Mapping[str, bytes], **more: object) -> Prepared:
    """Make a call ready that can be."""
    end = await prepared(request, values, **more)  # type: ignore[arg-type]
    assert isinstance(end, Prepared), end
    return end


async def refused(request: Request, values: Mapping[str, bytes], **more: object) -> Failure:
    """Return why a call cannot be made ready."""
    end = await prepared(request, values, **more)  # type: ignore[arg-type]
    assert isinstance(end, Failure), end
    assert not end.begun
    assert not [value for value in values.values() if value.decode("latin-1") in end.message]
    return end


async def _no_call(request: Request) -> Response | Failure:
    raise AssertionError(f"no token endpoint is called here: {request.url}")


async def test_a_secret_is_put_into_a_header_and_shown_as_written() -> None:
    """The wire gets the value, results the template."""
    request = Request("https://example.com/", headers=(("X-Key", "k ${secret:token}"), ("X-Own", "a")))
    end = await ready(request, {"token": b"s3cr3t-value"})
    assert end.headers[:2] == [("X-Key", "k s3cr3t-value"), ("X-Own", "a")]
    assert end.shown[:2] == request.headers
    assert end.hide == (b"s3cr3t-value",)
    assert "s3cr3t" not in repr(end)


async def test_a_secret_in_the_url_adds_no_part_to_it() -> None:
    """Whatever the value is, path, query and host stay where they were."""
    request = Request("https://example.com/hooks/${secret:token}/x?key=${secret:token}&a=1")
    end = await ready(request, {"token": b"a/../b?c#d&e=f@evil.test\\%\xff"})
    value = "a%2F..%2Fb%3Fc%23d%26e%3Df%40evil.test%5C%25%FF"
    assert end.url == f"https://example.com/hooks/{value}/x?key={value}&a=1"
    assert "evil" not in repr(end)


async def test_neither_repr_nor_rich_shows_what_a_call_holds() -> None:
    """A traceback that tells its variables tells of a call only what results tell, and where it leads."""
    request = Request(
        "https://example.com/${secret:token}", headers=(("X-Key", "${secret:token}"),), body=b"s3cr3t-body"
    )
    made = await ready(request, {"token": b"s3cr3t-value"})
    call = Outgoing("POST", made.url, made.headers, request.body, 1_000, 0, "example.com", PLAIN, "acme")
    for shown in (repr(made), pretty_repr(made), str(call), repr(call), pretty_repr(call)):
        assert "s3cr3t" not in shown
    assert "${secret:token}" in pretty_repr(made)
    assert "example.com" in pretty_repr(call)


async def test_a_secret_names_no_host() -> None:
    """Where a call goes is the task's own word."""
    end = await refused(Request("https://${secret:token}.example.com/"), {"token": b"evil"})
    assert (end.error, end.message) == (ErrorType.BLOCKED, "url may name secrets in its path and query only")


async def test_an_escaped_reference_is_plain_text() -> None:
    """Two dollar signs make a text of it, without a secret or a right to it."""
    request = Request("https://example.com/", headers=(("X-Doc", "$${secret:other.name}"),))
    end = await ready(request, {})
    assert ("X-Doc", "$${secret:other.name}") in end.shown
    assert ("X-Doc", "${secret:other.name}") in end.headers


SCOPES = [
    (book(), "acme"),
    (book(token=SecretScope(("other.test",))), "acme"),
    (book(token=SecretScope(("*.example.com",))), "acme"),
    (book(token=SecretScope(("example.com",), ("globex",))), "acme"),
]


@pytest.mark.parametrize(("policies", "business"), SCOPES)
async def test_a_secret_is_for_the_tasks_it_is_meant_for(policies: PolicyBook, business: str) -> None:
    """Without a word for this domain and business the call is blocked, and the reason says what would let it through."""
    request = Request("https://example.com/", headers=(("X-Key", "${secret:token}"),))
    end = await refused(request, {"token": b"s3cr3t-value"}, policies=policies, business=business)
    assert end.error is ErrorType.BLOCKED
    assert "`streamer secrets allow token --domain example.com`" in end.message


async def test_a_missing_secret_is_no_end() -> None:
    """What an operator can still bring is a fault of credentials, which is tried again."""
    request = Request("https://example.com/", headers=(("X-Key", "${secret:token}"),))
    end = await refused(request, {})
    assert (end.error, end.message) == (ErrorType.CREDENTIALS, "secret token: is not set")


@pytest.mark.parametrize(
    "value", [b"a\r\nX-Evil: 1", b"a\nb", b"a\0b", b" s3cr3t", b"s3cr3t\t", "ä".encode(), b"x" * (MAX_VALUE_BYTES + 1)]
)
async def test_a_value_that_is_no_header_is_not_sent(value: bytes) -> None:
    """A secret with line ends would begin another header."""
    request = Request("https://example.com/", headers=(("X-Key", "${secret:token}"),))
    end = await refused(request, {"token": value})
    assert end.error is ErrorType.CREDENTIALS


async def test_a_text_of_ours_is_no_template() -> None:
    """A business id goes into a header of ours, and is no way to a secret."""
    request = Request("https://example.com/", headers=(("X-Key", "${secret:token}"),))
    end = await ready(request, {"token": b"s3cr3t-value"}, business_id="${secret:token}")
    assert [value for name, value in end.headers if name == "X-Streamer-Business-Id"] == ["${secret:token}"]


async def test_credentials_are_sent_and_not_shown() -> None:
    """Authorization is made of the domain's secret; results have a mask, and the token is looked for in answers."""
    end = await ready(Request("https://example.com/"), {"password": b"pass-word"}, how=SendPolicy(auth=BASIC))
    assert end.headers[-1] == ("Authorization", "Basic dXM6cGFzcy13b3Jk")
    assert end.shown[-1] == ("Authorization", "***")
    assert end.hide == (b"pass-word", b"dXM6cGFzcy13b3Jk")


async def test_whose_credentials_they_are() -> None:
    """A task's own header goes before the domain's credentials, and other businesses have no use of them."""
    own = Request("https://example.com/", headers=(("authorization", "own"),))
    end = await ready(own, {}, how=SendPolicy(auth=BASIC))
    assert [value for name, value in end.headers if name.lower() == "authorization"] == ["own"]
    auth = Auth(AuthKind.BEARER, "password", businesses=("globex",))
    end = await ready(Request("https://example.com/"), {}, how=SendPolicy(auth=auth))
    assert "Authorization" not in dict(end.headers)


async def test_a_task_is_signed_with_the_keys_in_force() -> None:
    """Every key whose end has not come signs; without one the task is not sent unsigned."""
    request = Request("https://example.com/", body=b"{}", sign=True)
    keys = (SigningKey("new"), SigningKey("old", NOW_MS + 1), SigningKey("gone", NOW_MS))
    end = await ready(request, {"new": SIGNING, "old": SIGNING}, how=SendPolicy(signing=keys))
    signatures = dict(end.headers)["webhook-signature"].split(" ")
    assert [signature[:3] for signature in signatures] == ["v1,", "v1,"]
    assert dict(end.headers)["webhook-timestamp"] == str(NOW_MS // 1000)
    failure = await refused(request, {}, how=SendPolicy(signing=keys[2:]))
    assert failure.error is ErrorType.CREDENTIALS
    assert "no signing key is set for business acme or domain example.com" in failure.message
    failure = await refused(request, {"new": b"junk-that-is-no-key"}, how=SendPolicy(signing=keys[:1]))
    assert (failure.error, failure.message[:16]) == (ErrorType.CREDENTIALS, "signing key new:")


def test_a_plain_task_needs_nothing() -> None:
    """The usual task is ready at once, also where there are no secrets at all."""
    preparer = Preparer(lambda: OPEN, None, Credentials(Tokens(WallClock(), _no_call)), "agent")
    end = preparer.at_once(delivery_of(Request("https://example.com/a?b=c")), PLAIN, NOW_MS)
    assert end is not None
    assert (end.url, end.shown, end.hide) == ("https://example.com/a?b=c", tuple(end.headers), ())


async def test_a_process_without_secrets_says_so() -> None:
    """A sender that was given no source of secrets fails the calls that need one."""
    preparer = Preparer(lambda: OPEN, None, Credentials(Tokens(WallClock(), _no_call)), "agent")
    delivery = delivery_of(Request("https://example.com/${secret:token}"))
    assert preparer.at_once(delivery, PLAIN, NOW_MS) is None
    end = await preparer.prepare(delivery, PLAIN, NOW_MS)
    assert isinstance(end, Failure)
    assert end.message == "secret token: this process has no source of secrets"


async def test_a_tasks_own_sensitive_values_are_looked_for_in_answers() -> None:
    """What results mask of the request is not kept when the target repeats it, unless it is too short to be a secret."""
    headers = (("Authorization", "Bearer own-token"), ("X-Api-Key", "short"), ("X-Own", "plain-value"))
    end = await ready(Request("https://example.com/?sig=a%2Fb%2Bcdefg&a=b", headers=headers), {})
    assert end.hide == (b"Bearer own-token", b"own-token", b"a%2Fb%2Bcdefg", b"a/b+cdefg")
