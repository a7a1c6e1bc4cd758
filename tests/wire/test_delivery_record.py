"""A delivery comes back from its record as it went in, and anything else is refused by its field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.delivery import Delivery
from streamer.core.request import Request
from streamer.wire.delivery_record import decode_delivery, encode_delivery
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.golden_files import golden
from tests.wire.samples import AT_MS, DELIVERY, REQUEST, WAITING, deliveries

GOOD = orjson.loads(encode_delivery(DELIVERY))


@given(deliveries)
def test_round_trip(delivery: Delivery) -> None:
    """Every delivery survives its record."""
    assert decode_delivery(encode_delivery(delivery)) == delivery


def test_golden() -> None:
    """What version 1 looks like does not change, and what an earlier release wrote can be read."""
    assert encode_delivery(DELIVERY) == golden("delivery.v1.json")
    assert decode_delivery(golden("delivery.v1.json")) == DELIVERY
    assert encode_delivery(WAITING) == golden("delivery.waiting.v1.json")
    assert decode_delivery(golden("delivery.waiting.v1.json")) == WAITING


def test_equal_policies_are_one_object() -> None:
    """Deliveries of equal retry policies share one policy, so that a full window holds few of them."""
    first, second = (decode_delivery(encode_delivery(DELIVERY)) for _ in range(2))
    assert first.request.retry is second.request.retry


def test_a_policy_as_long_as_a_record_is_not_remembered() -> None:
    """It is read as any other, and what it was read from does not stay in memory."""
    value = encode_delivery(DELIVERY).replace(b'"r":[', b'"r":[' + b" " * 20_000)
    first, second = decode_delivery(value), decode_delivery(value)
    assert first == second == DELIVERY
    assert first.request.retry is not second.request.retry


@pytest.mark.parametrize("byte", [b"\x00", b'"', b"\n", b"\xff", b"a"])
def test_a_body_never_doubles(byte: bytes) -> None:
    """Whatever a body of 100 kB is made of, its record is at most base64's third longer."""
    delivery = Delivery("t", "b", None, "l", Request("u", body=byte * 100_000), DELIVERY.origin, AT_MS, AT_MS)
    encoded = encode_delivery(delivery)
    assert len(encoded) < 140_000
    assert decode_delivery(encoded) == delivery


BROKEN: list[tuple[dict[str, Any], str | None]] = [
    ({"v": 2}, "v"),
    ({"v": True}, "v"),
    ({"t": None}, "t"),
    ({"t": 7}, "t"),
    ({"a": "now"}, "a"),
    ({"a": 1.5}, "a"),
    ({"d": -1}, "d"),
    ({"d": 1 << 60}, "d"),
    ({"g": 0}, "g"),
    ({"n": 0}, "n"),
    ({"n": 1 << 31}, "n"),
    ({"e": -1}, "e"),
    ({"s": 1}, "s"),
    ({"w": "bored"}, "w"),
    ({"o": ["requests", 1, 2]}, "o"),
    ({"o": ["requests", 1, 2, "3"]}, "o"),
    ({"o": ["requests", 1.0, 2, 3]}, "o"),
    ({"o": ["requests", 1 << 16, 2, 3]}, "o"),
    ({"o": ["requests", 1, 1 << 48, 3]}, "o"),
    ({"m": "BREW"}, "m"),
    ({"h": [["a"]]}, "h"),
    ({"h": [["a", 1]]}, "h"),
    ({"h": {"a": "b"}}, "h"),
    ({"md": [[1, "b"]]}, "md"),
    ({"z": "AAA"}, "z"),
    ({"z": "AAAA"}, "z"),
    ({"k": 0}, "k"),
    ({"pr": 11}, "pr"),
    ({"sc": [200]}, "sc"),
    ({"sc": ["9xx"]}, "sc"),
    ({"r": []}, "r"),
    ({"r": [None, None, 5, None, None]}, "r"),
    ({"r": [[1], [1, 2.0, 3, 0.1], 5, None, None]}, "r"),
    ({"r": [["1m"], None, 5, None, None]}, "r"),
    ({"r": [[-1], None, 5, None, None]}, "r"),
    ({"r": [[1], None, 0, None, None]}, "r"),
    ({"r": [[1], None, True, None, None]}, "r"),
    ({"r": [None, [1, 2.0, 3], 5, None, None]}, "r"),
    ({"r": [None, [1, 2.0, "3", 0.1], 5, None, None]}, "r"),
    ({"r": [[1], None, 5, ["9xx"], None]}, "r"),
    ({"r": [[1], None, 5, "5xx", None]}, "r"),
    ({"unheard": 1}, "unheard"),
]


@pytest.mark.parametrize(("change", "field"), BROKEN)
def test_broken_field(change: dict[str, Any], field: str) -> None:
    """One wrong field is refused by its name."""
    with pytest.raises(UnreadableRecord) as caught:
        decode_delivery(orjson.dumps(GOOD | change))
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["t", "b", "l", "o", "a", "d", "u", "k", "r"])
def test_missing_field(field: str) -> None:
    """A required field that is missing is refused by its name."""
    with pytest.raises(UnreadableRecord, match="missing") as caught:
        decode_delivery(orjson.dumps({name: item for name, item in GOOD.items() if name != field}))
    assert caught.value.field == field


@pytest.mark.parametrize("value", [None, b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"v":1}'])
def test_no_delivery(value: bytes | None) -> None:
    """Bytes that are no delivery raise the one exception of reading."""
    with pytest.raises(UnreadableRecord):
        decode_delivery(value)


def test_a_nested_policy_is_refused() -> None:
    """A policy nested deeper than can be written again is refused by its field, not raised as another error."""
    before, after = encode_delivery(DELIVERY).split(b'"r":')
    nested = before + b'"r":' + b"[" * 400 + b"]" * 400 + after[after.index(b',"h":') :]
    with pytest.raises(UnreadableRecord) as caught:
        decode_delivery(nested)
    assert caught.value.field == "r"


@given(st.data())
def test_mutated_bytes_decode_or_are_refused(data: st.DataObject) -> None:
    """A record with some bytes changed, cut or doubled is a delivery that can be written again, or is refused."""
    value = bytearray(encode_delivery(DELIVERY))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value) - 1))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3) | st.sampled_from([b"[", b"1"]))
    try:
        delivery = decode_delivery(bytes(value))
    except UnreadableRecord:
        return
    assert decode_delivery(encode_delivery(delivery)) == delivery


def test_the_sample_is_not_all_defaults() -> None:
    """The golden record shows optional fields too."""
    waiting = orjson.loads(encode_delivery(WAITING))
    assert {"bi", "n", "s", "e", "w", "h", "md", "tp"} <= GOOD.keys()
    assert {"g", "p", "c", "sh", "wt", "sl", "rv", "rk", "po"} <= waiting.keys()
    assert REQUEST.metadata
