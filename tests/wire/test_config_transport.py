"""Records on `config`: TLS, HTTP/2 and credentials of a domain, read whole or refused with the field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.core.policy import BreakerPolicy
from streamer.core.send_policy import Auth, AuthKind, Http2, Tls
from streamer.wire.config_record import Installation, decode_config, encode_config
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.unreadable import UnreadableRecord

PLACE = Installation(DEFAULT_LIMITS, BreakerPolicy())
OAUTH2 = {"type": "oauth2", "secret": "s", "user": "me", "token_url": "https://auth.test/t"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({}, Tls()),
        ({"verify": True}, Tls()),
        ({"verify": False}, Tls(verify=False)),
        ({"ca": "a", "client_certificate": "b.c-d"}, Tls(ca="a", client_certificate="b.c-d")),
    ],
)
def test_tls_is_read(written: dict[str, Any], meant: Tls) -> None:
    """Certificates are verified unless it is said that they are not."""
    assert decode_config("domain:a.test", encode_config({"tls": written}), PLACE).policy.tls == meant


@pytest.mark.parametrize("http2", list(Http2))
@pytest.mark.parametrize("key", ["domain:a.test", "default"])
def test_http2_is_read(key: str, http2: Http2) -> None:
    """A domain or the default says how HTTP/2 is come by."""
    assert decode_config(key, encode_config({"http2": str(http2)}), PLACE).policy.http2 is http2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "basic", "secret": "s", "user": "me"}, Auth(AuthKind.BASIC, "s", "me")),
        ({"type": "bearer", "secret": "s"}, Auth(AuthKind.BEARER, "s")),
        (OAUTH2, Auth(AuthKind.OAUTH2, "s", "me", "https://auth.test/t")),
        (
            {**OAUTH2, "scope": "a b", "audience": "c", "businesses": ["acme"]},
            Auth(AuthKind.OAUTH2, "s", "me", "https://auth.test/t", "a b", "c", ("acme",)),
        ),
    ],
)
def test_credentials_are_read(written: dict[str, Any], meant: Auth) -> None:
    """Each kind with what it needs, and for whom."""
    assert decode_config("domain:*.a.test", encode_config({"auth": written}), PLACE).policy.auth == meant


REFUSED = [
    ("default", {"tls": {"verify": False}}, "tls is no field of the default"),
    ("business:acme", {"tls": {}}, "tls is no field of a business"),
    ("business:acme", {"http2": "off"}, "http2 is no field of a business"),
    ("default", {"auth": {"type": "bearer", "secret": "s"}}, "auth is no field of the default"),
    ("domain:a.test", {"tls": {"verify": "no"}}, "tls.verify must be true or false"),
    ("domain:a.test", {"tls": {"ca": "-----BEGIN CERTIFICATE-----"}}, "tls.ca must be 1 to 64 letters"),
    ("domain:a.test", {"http2": True}, "http2 must be"),
    ("domain:a.test", {"auth": {"type": "digest", "secret": "s"}}, "auth.type must be basic, bearer or oauth2"),
    ("domain:a.test", {"auth": {"type": "bearer"}}, "auth.secret is required"),
    ("domain:a.test", {"auth": {"type": "basic", "secret": "s"}}, "auth.user is required with type basic"),
    ("domain:a.test", {"auth": {"type": "basic", "secret": "s", "user": "a:b"}}, "auth.user may have no colon"),
    ("domain:a.test", {"auth": {"type": "bearer", "secret": "s", "scope": "x"}}, "auth.scope does not go with"),
    ("domain:a.test", {"auth": {**OAUTH2, "token_url": "auth.test"}}, "auth.token_url must begin with http"),
    (
        "domain:a.test",
        {"auth": {**OAUTH2, "token_url": "https://a:b@c.test/"}},
        "auth.token_url has a user or password",
    ),
]


@pytest.mark.parametrize(("key", "fields", "said"), REFUSED)
def test_what_is_wrong_is_named(key: str, fields: dict[str, Any], said: str) -> None:
    """Verification and credentials are a domain's matter alone; a kind has what it needs, and nothing of another's."""
    with pytest.raises(UnreadableRecord) as caught:
        decode_config(key, encode_config(fields), PLACE)
    assert said in caught.value.reason
