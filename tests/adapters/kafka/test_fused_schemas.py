"""Fused schemas write and read every byte that the library's own do."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Array, Bytes, Int8, Int16, Int32, Int64, Schema, String
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.kafka.clients import client_options
from streamer.adapters.kafka.fused_schemas import FusedSchema, fuse

_BITS = {Int8: 8, Int16: 16, Int32: 32, Int64: 64}
_HOT = [
    schema
    for request in (*FetchRequest._CLASSES, *ProduceRequest._CLASSES)
    for schema in (request.SCHEMA, request.RESPONSE_TYPE.SCHEMA)
]


def plain(field: Any) -> Any:
    """Return the library's own field of the same meaning, whatever has been fused."""
    if isinstance(field, Array):
        made = Array(Int8)
        made.array_of = plain(field.array_of)
        return made
    if isinstance(field, Schema):
        return Schema(*((name, plain(each)) for name, each in zip(field.names, field.fields, strict=True)))
    return field


def fused(field: Any) -> Any:
    """Return a field of the same meaning with every schema within fused, by itself."""
    if isinstance(field, Array):
        made = Array(Int8)
        made.array_of = fused(field.array_of)
        return made
    if isinstance(field, Schema):
        within = Schema(*((name, fused(each)) for name, each in zip(field.names, field.fields, strict=True)))
        return FusedSchema(within)
    return field


def values_of(field: Any) -> st.SearchStrategy[Any]:
    """Return what a field can say."""
    if isinstance(field, Schema):
        return st.tuples(*map(values_of, field.fields))
    if isinstance(field, Array):
        return st.none() | st.lists(values_of(field.array_of), max_size=3)
    if isinstance(field, String):
        return st.none() | st.text(max_size=8)
    if field is Bytes:
        return st.none() | st.binary(max_size=20)
    half = 1 << (_BITS[field] - 1)
    return st.integers(-half, half - 1)


@given(st.sampled_from(_HOT).flatmap(lambda schema: st.tuples(st.just(schema), values_of(schema))))
def test_the_same_bytes_and_the_same_values(case: tuple[Schema, tuple[Any, ...]]) -> None:
    """Whatever the version and the values, written and read alike, and read to the same place."""
    schema, value = case
    own, ours = plain(schema), fused(schema)
    written = own.encode(value)
    assert ours.encode(value) == written
    data = BytesIO(written + b"more")
    assert ours.decode(data) == own.decode(BytesIO(written)) == value
    assert data.read() == b"more"


@given(st.sampled_from(_HOT).flatmap(lambda schema: st.tuples(st.just(schema), values_of(schema))), st.data())
def test_what_is_cut_off_is_refused(case: tuple[Schema, tuple[Any, ...]], data: st.DataObject) -> None:
    """An answer that ends too early is an error of the same kind, not a value."""
    schema, value = case
    written = plain(schema).encode(value)
    cut = written[: data.draw(st.integers(0, len(written) - 1))]
    with pytest.raises(ValueError, match=r"ends before|hit error|underrun"):
        fused(schema).decode(BytesIO(cut))


def test_what_does_not_fit_is_refused() -> None:
    """A number out of range and a field too many are errors of the same kind as the library's, and name the fields."""
    ours = FusedSchema(Schema(("partition", Int32), ("offset", Int64), ("name", String())))
    with pytest.raises(ValueError, match=r"does not fit \('partition', 'offset', 'name'\)"):
        ours.encode((1 << 31, 0, "x"))
    with pytest.raises(ValueError, match="Item field count does not match Schema"):
        ours.encode((1, 0, "x", 2))


def test_every_client_has_them() -> None:
    """Whoever asks how to reach a cluster has fetches and writes fused, and asking again changes nothing."""

    def partitions(schema: Any) -> Any:
        [topics] = [field for name, field in zip(schema.names, schema.fields, strict=True) if name == "topics"]
        return topics.array_of.fields[-1].array_of

    client_options("127.0.0.1:9092")
    before = [partitions(schema) for schema in _HOT]
    assert {type(each) for each in before} == {FusedSchema}
    fuse.cache_clear()
    fuse()
    assert [partitions(schema) for schema in _HOT] == before
