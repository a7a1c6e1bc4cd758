"""The Authorization header from a domain's credentials: RFC 7617's and RFC 6750's, and secrets that cannot be one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.http.auth import Credentials
from streamer.adapters.http.tokens import Tokens
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request
from streamer.core.send_policy import Auth, AuthKind
from tests.support.sending import WallClock


async def nobody(request: Request) -> Response | Failure:
    raise AssertionError("no token is needed")


CREDENTIALS = Credentials(Tokens(WallClock(), nobody))


def basic(user: str) -> Auth:
    return Auth(AuthKind.BASIC, "door", user)


BEARER = Auth(AuthKind.BEARER, "door")


@pytest.mark.parametrize(
    ("auth", "secret", "value"),
    [
        # The examples of RFC 7617 §2 and §2.1.
        (basic("Aladdin"), b"open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (basic("test"), "123£".encode(), "Basic dGVzdDoxMjPCow=="),
        (basic("a"), b"b:c", "Basic YTpiOmM="),
        (basic("a"), b"b\n", "Basic YTpi"),
        (basic("a"), b"b\r\n", "Basic YTpi"),
        (basic("a"), b" b ", "Basic YTogYiA="),
        (basic("a"), b"", "Basic YTo="),
        # RFC 6750 §2.1.
        (BEARER, b"mF_9.B5f-4.1JqM", "Bearer mF_9.B5f-4.1JqM"),
        (BEARER, b"\tabc==\r\n", "Bearer abc=="),
    ],
)
async def test_header_is_made_at_once(auth: Auth, secret: bytes, value: str) -> None:
    """User and password, or a token, become the header's value; a file's last line end is no part of them."""
    assert CREDENTIALS.at_once(auth, secret) == await CREDENTIALS.header(auth, secret) == value


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        (basic("a"), b"CANARY\xff"),
        (basic("a"), b"CANARY\r\nX-Evil: 1"),
        (basic("a"), b"CANARY\x00"),
        (BEARER, b""),
        (BEARER, b"CANARY CANARY"),
        (BEARER, b"CANARY\r\nX-Evil: 1"),
        (BEARER, "CANARY£".encode()),
        (BEARER, b"Bearer: CANARY"),
    ],
)
async def test_unfit_secret_is_a_failure_that_quotes_nothing(auth: Auth, secret: bytes) -> None:
    """What would break the header, or be another one, is not sent; the message names the secret and what is allowed."""
    assert CREDENTIALS.at_once(auth, secret) is None
    failure = await CREDENTIALS.header(auth, secret)
    assert isinstance(failure, Failure)
    assert (failure.error, failure.begun) == (ErrorType.CREDENTIALS, False)
    assert "secret door" in failure.message
    assert "CANARY" not in failure.message


@given(st.text(st.characters(exclude_characters=":", exclude_categories=["C"]), max_size=20), st.binary(max_size=20))
def test_any_password_comes_out_whole_or_not_at_all(user: str, secret: bytes) -> None:
    """A header's value is one line of visible ASCII, and its base64 is user and password as they were."""
    value = CREDENTIALS.at_once(basic(user), secret)
    if value is not None:
        assert value.isascii()
        assert value.isprintable()
        told = base64.b64decode(value.removeprefix("Basic "))
        assert secret.startswith(told.partition(b":")[2])
