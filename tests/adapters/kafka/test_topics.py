"""Topics on the real broker: made once, described as made, checked."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer.adapters.kafka.topics import TopicsRefused, check, create_missing, describe
from streamer.wire.topics import Topics, TopicSpec
from tests.support.broker import SHORT_TIERS, RunningKafka

pytestmark = pytest.mark.broker


async def make(kafka: RunningKafka, topic: NewTopic) -> None:
    """Make one topic by hand, as an operator might."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([topic])
        assert [code for _name, code, _message in answer.topic_errors] == [0]
    finally:
        await admin.close()


async def test_made_topics_have_no_problem(kafka: RunningKafka, topics: Topics) -> None:
    """What `create_missing` makes is what `check` wants, the embedded broker's own settings included."""
    assert [str(problem) for problem in await check(kafka.bootstrap, topics.specs())] == []


async def test_making_twice_makes_nothing(kafka: RunningKafka, topics: Topics) -> None:
    """The second call finds all topics there."""
    assert await create_missing(kafka.bootstrap, topics.specs()) == []


async def test_facts_agree_with_the_specifications(kafka: RunningKafka, topics: Topics) -> None:
    """Partitions, replication and every setting are read back as they were given."""
    facts = await describe(kafka.bootstrap, topics.specs())
    assert [fact.name for fact in facts] == [spec.name for spec in topics.specs()]
    for spec, fact in zip(topics.specs(), facts, strict=True):
        assert (fact.partitions, fact.replication, fact.records) == (spec.partitions, 1, None)
        assert {name: fact.config[name] for name in spec.config} == spec.config


async def test_records_are_counted_on_demand(kafka: RunningKafka, topics: Topics) -> None:
    """Three records on two partitions are three records."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for partition in (0, 0, 3):
            await producer.send_and_wait(topics.requests, b"{}", partition=partition)
    facts = await describe(kafka.bootstrap, topics.specs()[:2], with_records=True)
    assert {fact.name: fact.records for fact in facts} == {topics.requests: 3, topics.claims: 0}


async def test_an_absent_set_is_all_problems(kafka: RunningKafka, topic_prefix: str) -> None:
    """Looking at topics that are not there makes none of them."""
    specs = Topics(topic_prefix, 2, SHORT_TIERS).specs()
    for _ in range(2):
        problems = await check(kafka.bootstrap, specs)
        assert {problem.topic for problem in problems} == {spec.name for spec in specs}
        assert {problem.found for problem in problems} == {"missing"}
    assert await describe(kafka.bootstrap, specs) == []


async def test_a_topic_made_by_hand_is_checked(kafka: RunningKafka, topic_prefix: str) -> None:
    """Compaction, short retention and other partitions on a real topic give three lines that name it."""
    specs = [spec for spec in Topics(topic_prefix, 2, SHORT_TIERS).specs() if spec.meets_in_deliver]
    odd = specs[-1].name
    wrong = {"cleanup.policy": "compact", "retention.ms": "60000", "max.message.bytes": "4194304"}
    await make(kafka, NewTopic(odd, 3, 1, topic_configs=wrong))
    created = await create_missing(kafka.bootstrap, specs)
    assert odd not in created
    problems = await check(kafka.bootstrap, specs)
    assert {problem.topic for problem in problems} == {odd}
    assert [problem.setting for problem in problems] == [
        "cleanup.policy",
        "retention.ms",
        "the number of partitions",
    ]


async def test_a_refusal_tells_the_brokers_reason(kafka: RunningKafka, topic_prefix: str) -> None:
    """A replication that the cluster cannot give is an error with the topic's name."""
    specs: list[TopicSpec] = list(Topics(topic_prefix, 1, ()).specs()[:1])
    with pytest.raises(TopicsRefused, match=rf"{topic_prefix}requests was not made: .*replication"):
        await create_missing(kafka.bootstrap, specs, replication=3)
