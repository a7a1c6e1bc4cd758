"""Signing keys in records on `config`: read by name, end and domain, and refused with the field."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.core.policy import BreakerPolicy
from streamer.core.send_policy import SigningKey
from streamer.wire.config_record import Installation, decode_config, encode_config
from streamer.wire.instants import parse_instant
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.unreadable import UnreadableRecord

PLACE = Installation(DEFAULT_LIMITS, BreakerPolicy())


def signing(keys: Any, key: str = "business:acme") -> tuple[SigningKey, ...] | None:
    """Return the keys of a record."""
    return decode_config(key, encode_config({"signing": keys}), PLACE).policy.signing


@pytest.mark.parametrize("key", ["business:acme", "domain:example.com", "domain:*.example.com:8443"])
def test_keys_are_read_in_their_order(key: str) -> None:
    """A name alone is enough; ends are instants, domains have their one form, and no list is not an empty one."""
    written = [
        {"secret": "hooks-2"},
        {"secret": "hooks-1", "until": "2026-01-31T10:30:00+01:00", "domain": "*.Example.com"},
        {"secret": "a.b", "domain": "https://example.com:8443/hooks"},
    ]
    assert signing(written, key) == (
        SigningKey("hooks-2"),
        SigningKey("hooks-1", parse_instant("2026-01-31T09:30:00Z"), "*.example.com"),
        SigningKey("a.b", None, "example.com:8443"),
    )
    assert signing([], key) == ()
    assert decode_config(key, encode_config({"sign": True}), PLACE).policy.signing is None


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ("hooks", "a list of at most 16 objects"),
        ([{"secret": "a"}] * 17, "a list of at most 16 objects"),
        ([{}], "the name of a secret"),
        ([{"secret": "whsec_abc="}], "the name of a secret"),
        ([{"secret": "a", "until": "tomorrow"}], "RFC 3339"),
        ([{"secret": "a"}, {"secret": "a", "until": "2026-02-30T00:00:00Z"}], "signing.2.until"),
        ([{"secret": "a", "until": 5}], "RFC 3339"),
        ([{"secret": "a", "domain": "a b"}], "signing.1.domain"),
        ([{"secret": "a", "key": "b"}], "signing.key"),
    ],
)
def test_what_is_no_key_is_refused_with_its_place(keys: Any, part: str) -> None:
    """The reason names the field; a secret's value in place of its name is refused by its form."""
    with pytest.raises(UnreadableRecord) as caught:
        signing(keys)
    assert caught.value.field is not None
    assert caught.value.field.startswith("signing")
    assert part in f"{caught.value.field} {caught.value.reason}"


@pytest.mark.parametrize("key", ["default", "policy:slow", "rate_key:orders", "secret:hooks"])
def test_only_domains_and_businesses_have_keys(key: str) -> None:
    """A key for everybody would let one receiver sign for all others."""
    with pytest.raises(UnreadableRecord, match="signing"):
        signing([{"secret": "a"}], key)
