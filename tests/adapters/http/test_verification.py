"""A receiver's check: what we signed is valid, whatever was tampered with is not, and junk beside a signature is passed over."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.http.signing import signature_of
from streamer.adapters.http.signing_keys import new_secret, public_key_of
from streamer.adapters.http.verification import verify

NOW_S = 1_732_291_200
ID = "tsk_1"
BODY = b'{"a": 1}'
SECRET = b"whsec_" + b64encode(bytes(range(32)))
OTHER = b"whsec_" + b64encode(bytes(range(1, 33)))
PAIR = b"whsk_" + b64encode(bytes(range(32)))
PUBLIC = (public_key_of(PAIR) or "").encode()


def signed(body: bytes = BODY, at_s: int = NOW_S, *keys: bytes) -> dict[str, str]:
    """Return the headers of a call, signed with these keys."""
    signature = signature_of(keys or [SECRET], ID, at_s, body)
    return {"webhook-id": ID, "webhook-timestamp": str(at_s), "webhook-signature": signature}


@given(st.binary(max_size=300), st.binary(min_size=24, max_size=64), st.binary(min_size=32, max_size=32))
def test_what_we_sign_is_valid_by_each_of_its_keys(body: bytes, key: bytes, seed: bytes) -> None:
    """Any bytes, signed with a symmetric key and a pair at once, verify by either alone."""
    secret, pair = b"whsec_" + b64encode(key), b"whsk_" + b64encode(seed)
    headers = signed(body, NOW_S, secret, pair)
    public = (public_key_of(pair) or "").encode()
    for known in ([secret], [pair], [public], [OTHER, public]):
        assert verify(known, headers, body, NOW_S) is None


@given(st.data())
def test_one_changed_byte_is_refused(data: st.DataObject) -> None:
    """No bit of body, id or timestamp can be changed."""
    headers = signed(BODY, NOW_S, SECRET, PAIR)
    at = data.draw(st.integers(0, len(BODY) * 8 - 1))
    body = bytearray(BODY)
    body[at // 8] ^= 1 << at % 8
    for key in (SECRET, PUBLIC):
        assert verify([key], headers, bytes(body), NOW_S) is not None
        assert verify([key], headers | {"webhook-id": "tsk_2"}, BODY, NOW_S) is not None
        assert verify([key], headers | {"webhook-timestamp": str(NOW_S + 1)}, BODY, NOW_S) is not None


@pytest.mark.parametrize("size", [0, 1, 1_048_576])
def test_empty_and_large_bodies(size: int) -> None:
    """From nothing to the usual limit of a body."""
    body = bytes(range(256)) * (size // 256) + b"\x00" * (size % 256)
    assert verify([SECRET], signed(body), body, NOW_S) is None
    assert verify([SECRET], signed(body), body + b"\x00", NOW_S) is not None


@pytest.mark.parametrize(
    ("ahead_s", "reason"),
    [
        (-300, None),
        (-301, "webhook-timestamp is 301 s old; 300 s are allowed"),
        (300, None),
        (301, "webhook-timestamp is 301 s in the future; 300 s are allowed"),
    ],
)
def test_five_minutes_either_way_are_allowed(ahead_s: int, reason: str | None) -> None:
    """A call that was recorded cannot be played again later than that."""
    assert verify([SECRET], signed(BODY, NOW_S + ahead_s), BODY, NOW_S) == reason
    assert verify([SECRET], signed(BODY, NOW_S - 400), BODY, NOW_S, tolerance_s=400) is None


@pytest.mark.parametrize(
    "junk",
    ["", "v1", "v1,", ",", "v1,,", "v2,{}", "v1a,{}", "v1,{}x", "nonsense", "v1,é", "v1a,\u2603", "v1,v1,{}", "V1,{}"],
)
def test_junk_entries_are_passed_over_and_are_no_signature(junk: str) -> None:
    """Junk before and behind a good entry changes nothing; alone it is refused."""
    headers = signed()
    good = headers["webhook-signature"]
    entry = junk.format(good.removeprefix("v1,"))
    assert verify([SECRET], headers | {"webhook-signature": f"{entry} {good}  {entry}"}, BODY, NOW_S) is None
    assert verify([SECRET], headers | {"webhook-signature": entry}, BODY, NOW_S) is not None
    assert verify([PUBLIC], headers | {"webhook-signature": entry}, BODY, NOW_S) is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"webhook-id": ""}, "there is no webhook-id"),
        ({"webhook-timestamp": " "}, "there is no webhook-timestamp"),
        ({"webhook-signature": ""}, "there is no webhook-signature"),
        ({"webhook-timestamp": "1732291200.0"}, "webhook-timestamp is no whole number of seconds"),
        ({"webhook-timestamp": "-1"}, "webhook-timestamp is no whole number of seconds"),
        ({"webhook-timestamp": "٣"}, "webhook-timestamp is no whole number of seconds"),
        ({"webhook-timestamp": "9" * 16}, "webhook-timestamp is no whole number of seconds"),
        ({"webhook-timestamp": f"0{NOW_S}"}, "webhook-timestamp has a leading zero"),
        ({"webhook-id": "tsk.1"}, "webhook-id may have no dot, which ends it in what is signed"),
        ({"webhook-id": "tské"}, "webhook-id must be ASCII"),
        ({"webhook-signature": "v1,x " * 65}, "webhook-signature has 65 entries; at most 64 are looked at"),
        ({"webhook-signature": "v1a,x v2,y"}, "webhook-signature has no v1 entry, which is what the key checks"),
    ],
)
def test_headers_that_are_no_good_are_named(change: dict[str, str], reason: str) -> None:
    """The reason says which header it is."""
    assert verify([SECRET], signed() | change, BODY, NOW_S) == reason


def test_another_key_is_refused_and_said_so() -> None:
    """A valid signature by somebody else is none of ours."""
    reason = "no entry of webhook-signature is by the key over this id, timestamp and body"
    assert verify([OTHER], signed(), BODY, NOW_S) == reason
    foreign = public_key_of(new_secret(ed25519=True).encode()) or ""
    assert verify([foreign.encode()], signed(BODY, NOW_S, PAIR), BODY, NOW_S) == reason


def test_a_dot_cannot_be_moved_from_the_body_into_the_id() -> None:
    """The signature of (a, now, "1.b") is not that of (a.now, 1, "b"), though the same bytes would be signed."""
    signature = signature_of([SECRET], "a", NOW_S, f"{NOW_S}.b".encode())
    moved = {"webhook-id": f"a.{NOW_S}", "webhook-timestamp": str(NOW_S), "webhook-signature": signature}
    assert verify([SECRET], moved, b"b", NOW_S) is not None


def test_header_names_have_no_case() -> None:
    """As HTTP has it."""
    assert verify([SECRET], {name.title(): value for name, value in signed().items()}, BODY, NOW_S) is None


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"whsec_",
        b"whsec_" + b64encode(bytes(23)),
        b"whsec_" + b64encode(bytes(65)),
        b"whpk_" + b64encode(bytes(31)),
        b"whpk_" + b64encode(bytes(33)),
        b64encode(bytes(32)),
    ],
)
def test_a_key_that_is_none_is_an_error_of_the_callers(key: bytes) -> None:
    """Nothing is valid by a key of no bytes, too few or too many: the check itself is refused."""
    with pytest.raises(ValueError, match="the key"):
        verify([key], signed(), BODY, NOW_S)
    with pytest.raises(ValueError, match="key 2 of 2"):
        verify([SECRET, key], signed(), BODY, NOW_S)
