"""What the parser of deliveries refuses has words for people, and nothing else has."""

from __future__ import annotations

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.delivery_error import check_delivery
from streamer.wire.delivery_fields import DeliveryFields, parse_fields
from streamer.wire.delivery_record import encode_delivery
from streamer.wire.unreadable import UnreadableRecord
from tests.wire.samples import DELIVERY, WAITING

GOOD = [orjson.loads(encode_delivery(delivery)) for delivery in (DELIVERY, WAITING)]
#: The parser leaves the policy as it is.
NAMES = [field.encode_name for field in msgspec.structs.fields(DeliveryFields) if field.encode_name != "r"]

edges = st.sampled_from([0, 1, -1, 10, 11, 1 << 16, 1 << 31, 1 << 48, 1 << 53, (1 << 63) - 1, 1 << 63, -(1 << 63)])
scalars = st.none() | st.booleans() | edges | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3)
values = scalars | st.sampled_from(["retry", "5xx"]) | st.lists(scalars | st.lists(st.text(max_size=2), max_size=3))
origins = st.tuples(st.text(max_size=2) | edges, *([edges | st.booleans()] * 3)).map(list)


@given(st.sampled_from(GOOD), st.sampled_from([*NAMES, "unheard"]), values | origins)
def test_parser_and_words_agree(good: dict[str, object], name: str, value: object) -> None:
    """With any field changed to anything, a record is refused by both or by none."""
    record = orjson.loads(orjson.dumps(good | {name: value}, default=str))
    try:
        parse_fields(orjson.dumps(record))
    except ValueError:
        parsed = False
    else:
        parsed = True
    try:
        check_delivery(record)
    except UnreadableRecord:
        assert not parsed
    else:
        assert parsed
