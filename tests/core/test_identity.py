"""Ids and digests: stable for ever, and different where their parts differ."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.core.identity import (
    business_task_id,
    claim_key,
    content_hash,
    derived_task_id,
    derived_traceparent,
    event_id,
    task_digest,
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
topics = st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True)
coordinates = st.tuples(topics, st.integers(0, 10_000), st.integers(0, 2**62), st.integers(-1, 2**62))


def test_ids_and_digests_stay_what_they_are() -> None:
    """Changelogs, claims and consumers hold these; a change would make every known task a new one."""
    assert task_digest("tsk_1").hex() == "54e64c527682e3d32ca89327b7c551a0"
    assert derived_task_id("cluster", "requests", 3, 42, 1_700_000_000_000) == "tsk_2750555fe674781f70b565ede928a9fd"
    assert business_task_id("acme", "order-1") == "tsk_913185f3b2854f2ee42be396dd507492"
    assert claim_key("acme", "order-1", "tsk_1").hex() == "d24a53e7d9861d697cfe8f1803518d2a"
    assert claim_key("acme", None, "tsk_1").hex() == "eddba02da45a50129727b21a72129d27"
    assert event_id("tsk_1", 1, 2, "attempt") == "evt_1be80bb36b4005634428828570f0f046"
    assert content_hash(b"POST", b"https://receiver.example/", b"{}").hex() == "b403f6009478ee51"


def test_a_trace_is_made_of_the_tasks_id() -> None:
    """W3C Trace Context 1, sampled; the same whoever reads the record, and another task's is another."""
    trace = derived_traceparent("tsk_1")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", trace)
    assert trace == derived_traceparent("tsk_1") == "00-ccae586fa4cc7071f6df5e96d9ef67cc-f590b74b0c120d39-01"
    assert derived_traceparent("tsk_2")[:36] != trace[:36]


def test_keys_have_the_size_that_the_table_and_claims_store() -> None:
    """RULES 27: a key is 16 bytes, a content hash 8."""
    assert len(task_digest("x" * 10_000)) == 16
    assert len(claim_key("acme", None, "tsk_1")) == len(claim_key("acme", "1", "tsk_1")) == 16
    assert len(content_hash()) == len(content_hash(b"x" * 10_000)) == 8


@given(names, coordinates, names, coordinates)
def test_a_record_has_an_id_of_its_own(
    cluster: str, one: tuple[str, int, int, int], other_cluster: str, other: tuple[str, int, int, int]
) -> None:
    """The same record gives the same id; another cluster, topic, partition, offset or time another one."""
    same = (cluster, one) == (other_cluster, other)
    assert derived_task_id(cluster, *one) == derived_task_id(cluster, *one)
    assert (derived_task_id(cluster, *one) == derived_task_id(other_cluster, *other)) is same


def test_a_topic_that_was_made_again_gives_other_ids() -> None:
    """The record's time tells the first record of a topic from the first of its successor."""
    assert derived_task_id("c", "requests", 0, 0, 1) != derived_task_id("c", "requests", 0, 0, 2)


@given(st.tuples(names, names), st.tuples(names, names))
def test_a_business_id_belongs_to_its_business(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Names that only run together differently are different tasks and different claims."""
    same = one == other
    assert (business_task_id(*one) == business_task_id(*other)) is same
    assert (claim_key(*one, "tsk_1") == claim_key(*other, "tsk_1")) is same


@given(names, names, names)
def test_a_claim_is_by_the_business_id_and_only_without_one_by_the_id(
    business: str, business_id: str, task_id: str
) -> None:
    """A record has one claim: the id says nothing beside a business id, the business nothing beside an id."""
    assume(task_id != "other")
    assert claim_key(business, business_id, task_id) == claim_key(business, business_id, "other")
    assert claim_key(business, None, task_id) == claim_key(business + "x", None, task_id)
    assert claim_key(business, None, task_id) != claim_key(business, None, "other")
    assert claim_key(business, None, task_id) != claim_key(business, business_id, task_id)


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_a_content_hash_knows_where_its_parts_end(one: list[bytes], other: list[bytes]) -> None:
    """Bytes that move from one part to the next make another hash."""
    assert (content_hash(*one) == content_hash(*other)) is (one == other)


events = st.tuples(
    names,
    st.integers(1, 100),
    st.integers(1, 100),
    st.sampled_from(["attempt", "deferral"]),
    st.just("") | names,
)


@given(events, events)
def test_an_event_has_an_id_of_its_own(
    one: tuple[str, int, int, str, str], other: tuple[str, int, int, str, str]
) -> None:
    """The same event written twice has one id; another generation, attempt or kind another one."""
    assert (event_id(*one) == event_id(*other)) is (one == other)
