"""Calls as we sign them, and calls that nobody may take for ours."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from streamer.adapters.http.signing import signature_of
from streamer.adapters.http.signing_keys import new_secret, public_key_of

BODIES = 1_300
PAIRS = 200
TAMPERED = 200
MEGABYTE = 1_048_576


@dataclass(frozen=True, slots=True)
class Case:
    """One call: what a receiver knows, what it gets, and whether it is valid.

    ``secret`` is what the sender has, ``key`` what this receiver checks with. What no sender sends, such as junk beside a
    signature, is not put to the official libraries.
    """

    number: int
    kind: str
    valid: bool
    secret: str
    key: str
    message_id: str
    at_s: int
    signature: str
    body: bytes
    for_library: bool = True

    @property
    def line(self) -> str:
        """The case as drivers read it."""
        fields = (self.number, self.key, self.secret, self.message_id, self.at_s, self.signature)
        encoded = b64encode(self.body).decode()
        return "\t".join(map(str, (*fields, encoded, int(self.for_library))))

    @property
    def is_text(self) -> bool:
        """Whether the body is UTF-8."""
        try:
            self.body.decode()
        except UnicodeDecodeError:
            return False
        return True


def cases(seed: int, now_s: int) -> list[Case]:
    """Make the cases of a run; secrets are of the system's randomness, the rest of the seed's."""
    chance = random.Random(seed)
    good = list(_good(chance, now_s))
    # Of text, JSON and those by a pair: a library that takes text only would refuse a binary body anyway.
    bad = [each for number in range(TAMPERED) for each in _bad(good[400 + number * 5], chance, now_s)]
    return [replace(each, number=number) for number, each in enumerate([*good, *bad])]


def _good(chance: random.Random, now_s: int) -> Iterator[Case]:
    for number in range(BODIES + PAIRS):
        pair = number >= BODIES
        kind, body = _body(chance, number % BODIES)
        secret = new_secret(ed25519=pair)
        # A rotation's signatures: the receiver's key is anywhere among the sender's.
        keys = [secret, *(new_secret(ed25519=chance.random() < 0.3) for _ in range(chance.randrange(3)))]
        chance.shuffle(keys)
        message_id, at_s = f"tsk_{chance.getrandbits(128):032x}", now_s - chance.randrange(60)
        signature = signature_of([key.encode() for key in keys], message_id, at_s, body)
        key = public_key_of(secret.encode()) or secret
        named = f"ed25519, {kind}" if pair else kind
        yield Case(number, named, True, secret, key, message_id, at_s, signature, body, for_library=not pair)


def _body(chance: random.Random, number: int) -> tuple[str, bytes]:
    if number < 10:
        size = MEGABYTE - 2
        return "1 MB", orjson.dumps("é" * (size // 2)) if number % 2 else chance.randbytes(MEGABYTE)
    if number < 50:
        return "empty", b""
    if number < 300:
        return "binary", chance.randbytes(chance.randrange(1, 2_000))
    text = "".join(chr(chance.choice([10, 65, 92, 0xE9, 0x20AC, 0x1F600])) for _ in range(chance.randrange(500)))
    return ("text", f"{number} {text}".encode()) if number < 450 else ("JSON", orjson.dumps({"n": number, "t": text}))


def _bad(good: Case, chance: random.Random, now_s: int) -> Iterator[Case]:
    """Yield what becomes of a good call in the wrong hands."""
    at = chance.randrange(len(good.body) + 1)
    signature = signature_of([good.secret.encode()], good.message_id, good.at_s, good.body)
    plain = replace(good, valid=False, signature=signature)

    def of(kind: str, message_id: str, at_s: int) -> Case:
        content = signature_of([good.secret.encode()], message_id, at_s, good.body)
        return replace(plain, kind=kind, message_id=message_id, at_s=at_s, signature=content)

    yield replace(plain, kind="another body", body=good.body[:at] + b"x" + good.body[at:])
    yield replace(plain, kind="another id", message_id=good.message_id + "0")
    yield replace(plain, kind="another timestamp", at_s=good.at_s + 1)
    yield of("too old", good.message_id, now_s - 301)
    yield of("in the future", good.message_id, now_s + 1_200)
    yield replace(plain, kind="another key", key=new_secret())
    yield replace(plain, kind="another version", signature=signature.replace("v1", "v2"))
    junk = chance.choice(["v1", "v1,", ",", "v1,,", "v1a,AAAA", "nonsense", signature + "x", signature[:-8], "v1,===="])
    yield replace(plain, kind="junk alone", signature=f"{junk} {junk}", for_library=False)
    yield replace(plain, kind="junk beside it", signature=f"{junk} {signature} {junk}", valid=True, for_library=False)
