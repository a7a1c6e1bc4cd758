"""Signatures as Standard Webhooks 1.0.0 has them: known answers, the official library, and keys that are refused."""

from __future__ import annotations

import random
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from streamer.adapters.http.signing import signature_of
from streamer.adapters.http.signing_keys import new_secret, public_key_of
from streamer.core.identity import business_task_id, derived_task_id, firing_id
from streamer.core.reading import Refused
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request

# Of the test suites of the official libraries (github.com/standard-webhooks/standard-webhooks): Python, Rust, Go.
KNOWN = (
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        (
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            b'{"email":"test@example.com","username":"test_user"}',
        ),
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
    ),
    (
        "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=",
        ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'),
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
    ),
)
SECRET = b"whsec_" + b64encode(bytes(range(32)))
CANARY = b"\xc4\x81"


def encoded(prefix: str, size: int) -> bytes:
    """Return a key of so many bytes."""
    return prefix.encode() + b64encode(CANARY * 50)[: 4 * (size // 3)] + b64encode(b"x" * (size % 3))


@pytest.mark.parametrize(("secret", "message", "expected"), KNOWN)
def test_known_answers(secret: str, message: tuple[str, int, bytes], expected: str) -> None:
    """What the official libraries sign we sign alike."""
    assert signature_of([secret.encode()], *message) == expected


def test_several_keys_sign_in_their_order() -> None:
    """A rotation sends both signatures, the first key's first, with one space between them."""
    first, second, third = KNOWN
    both = signature_of([third[0].encode(), first[0].encode()], *first[1])
    assert both == f"{third[2]} {first[2]}"
    assert signature_of([second[0].encode()], *first[1]) not in both


def test_a_key_read_from_a_file_may_end_in_a_newline() -> None:
    """White space around a key is none of it."""
    assert signature_of([SECRET + b"\n"], "m", 1, b"x") == signature_of([b"  " + SECRET], "m", 1, b"x")


def test_a_private_key_may_carry_its_public_key_behind() -> None:
    """Some write seed and public key as one, which signs like the seed; a foreign public key is refused."""
    seed = bytes(range(32))
    short = b"whsk_" + b64encode(seed)
    public = public_key_of(short)
    assert public is not None
    long = b"whsk_" + b64encode(seed + b64decode(public.removeprefix("whpk_")))
    assert signature_of([long], "m", 1, b"x") == signature_of([short], "m", 1, b"x")
    with pytest.raises(ValueError, match="that is not its seed's"):
        signature_of([b"whsk_" + b64encode(seed + seed)], "m", 1, b"x")


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        (b"", "the signing key is empty"),
        (b" \n", "the signing key is empty"),
        (b"whsec_", "is empty"),
        (b"whsk_", "is empty"),
        (b64encode(bytes(32)), "must begin with whsec_ (HMAC-SHA256) or whsk_ (ed25519)"),
        (b"WHSEC_" + b64encode(bytes(32)), "must begin with"),
        (b"whpk_" + b64encode(bytes(32)), "is a public key (whpk_), with which nothing can be signed"),
        (encoded("whsec_", 23), "holds 23 bytes after whsec_; 24 to 64 are allowed"),
        (encoded("whsec_", 65), "holds 65 bytes after whsec_; 24 to 64 are allowed"),
        (encoded("whsk_", 31), "holds 31 bytes after whsk_; 32 (a seed) or 64"),
        (encoded("whsk_", 33), "holds 33 bytes after whsk_"),
        (SECRET.rstrip(b"="), "standard base64 with its padding"),
        (b"whsec_" + b64encode(b"\xfb" * 33).replace(b"+", b"-"), "standard base64"),
        (SECRET + b"!", "standard base64"),
        (SECRET[:10] + b" " + SECRET[10:], "standard base64"),
        (b"whsec_\xff\xfe", "is not ASCII text"),
    ],
)
def test_a_key_that_is_none_is_refused_by_what_is_wrong_with_it(secret: bytes, part: str) -> None:
    """The message names what is allowed, and repeats no part of the key: it stands in results."""
    with pytest.raises(ValueError, match=r"[a-z]") as caught:
        signature_of([secret], "m", 1, b"x")
    assert part in str(caught.value)
    content = secret.strip()[6:].decode("latin-1")
    seen = [str(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)]
    assert not content or content not in " ".join(seen)


def test_the_wrong_one_of_several_keys_is_numbered() -> None:
    """A rotation to a bad key says which of them it is."""
    with pytest.raises(ValueError, match=r"signing key 2 of 2 holds 23 bytes"):
        signature_of([SECRET, encoded("whsec_", 23)], "m", 1, b"x")


@pytest.mark.parametrize("size", [24, 25, 32, 63, 64])
def test_every_allowed_size_signs(size: int) -> None:
    """24 to 64 bytes are allowed."""
    assert signature_of([encoded("whsec_", size)], "m", 1, b"").startswith("v1,")


def test_an_id_with_a_dot_is_not_signed() -> None:
    """With a dot in an id, two messages could have one signature."""
    with pytest.raises(ValueError, match="webhook-id may have no dot"):
        signature_of([SECRET], "a.1", 2, b"b")


def test_no_task_has_a_dot_in_its_id() -> None:
    """A caller's id with a dot is refused, and the ids that we make have none."""
    outcome = read_request(orjson.dumps({"url": "https://example.com/", "id": "a.b"}), (), DEFAULT_LIMITS, 0)
    assert isinstance(outcome, Refused)
    assert outcome.field == "id"
    made = [derived_task_id("c.1", "t.x", 0, 1, 2), business_task_id("a", "b.c"), firing_id("n.m", 5)]
    assert not any("." in name for name in made)


def test_new_secrets_are_of_the_kind_asked_for_and_never_the_same() -> None:
    """A symmetric secret has no public key, a pair has one."""
    made = {new_secret() for _ in range(50)} | {new_secret(ed25519=True) for _ in range(50)}
    assert len(made) == 100
    assert public_key_of(new_secret().encode()) is None
    assert (public_key_of(new_secret(ed25519=True).encode()) or "").startswith("whpk_")


def test_the_official_library_verifies_what_we_sign() -> None:
    """E1, its Python part: random bodies, from empty to 1 MB, by one of one to three keys."""
    chance = random.Random(51)
    now_s = int(datetime.now(tz=UTC).timestamp())
    for number in range(200):
        text = "".join(chr(chance.choice([65, 0xE9, 0x20AC, 0x1F600, 0])) for _ in range(chance.randrange(300)))
        body = b"" if number == 0 else orjson.dumps({"n": number, "text": text})
        if number == 1:
            body = orjson.dumps("x" * 1_048_574)
        keys = [new_secret() for _ in range(chance.randint(1, 3))]
        at_s = now_s + chance.randint(-200, 200)
        signature = signature_of([key.encode() for key in keys], f"msg_{number}", at_s, body)
        headers = {"webhook-id": f"msg_{number}", "webhook-timestamp": str(at_s), "webhook-signature": signature}
        Webhook(chance.choice(keys)).verify(body, headers, json_parse=False)
