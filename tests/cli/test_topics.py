"""`streamer topics`: what it makes, shows and finds wrong, on the real broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streamer.core.ladder import Tier
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli, environment, runs
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker


@pytest.fixture
def missing(topic_prefix: str) -> Topics:
    """Return topics that nobody has made."""
    return Topics(topic_prefix, 3, (Tier("1s", 1_000), Tier("2s", 2_000)))


@pytest.fixture
def fresh(own_directory: Path, kafka: RunningKafka, missing: Topics) -> Cli:
    """Return what runs `streamer` where no topic is made yet."""
    return runs(environment(kafka.bootstrap, missing))


def test_create_makes_what_is_missing_once(fresh: Cli, missing: Topics) -> None:
    """The first run names every topic, the second has nothing to do, and both exit 0."""
    first = fresh("topics", "create")
    assert first.code == 0
    assert sorted(first.lines) == sorted(f"created {spec.name}" for spec in missing.specs())
    second = fresh("topics", "create")
    assert (second.code, second.lines) == (0, [f"nothing to do: all {len(missing.specs())} topics exist"])
    assert fresh("topics", "create", "--json").objects == [{"created": [], "topics": len(missing.specs())}]


def test_ls_of_good_topics(cli: Cli, topics: Topics) -> None:
    """Each topic stands in a line with role, partitions, retention and cleanup policy; exit 0."""
    made = cli("topics", "create")
    assert made.code == 0
    listed = cli("topics", "ls")
    assert (listed.code, listed.stderr) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in listed.lines}
    assert lines[topics.results] == ["results", str(topics.partitions), "7d", "delete", "ok"]
    assert lines[topics.config] == ["config", "1", "for", "ever", "compact", "ok"]
    assert lines[topics.retry("1s")][0] == "retry"


def test_ls_names_what_is_missing(fresh: Cli, missing: Topics) -> None:
    """Missing topics are problems: each is named with the command to run, and the exit code is 1."""
    listed = fresh("topics", "ls")
    assert listed.code == 1
    assert f"topic {missing.results}: the topic is missing" in listed.stderr
    assert "streamer topics create" in listed.stderr
    assert all(line.rstrip().endswith("the topic is missing") for line in listed.lines[1:])


async def _make(bootstrap: str, topic: NewTopic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([topic])
    finally:
        await admin.close()


@pytest.fixture
async def compacted(kafka: RunningKafka, missing: Topics) -> str:
    """Make `due` compacted, which would lose tasks."""
    await _make(kafka.bootstrap, NewTopic(missing.due, 3, 1, topic_configs={"cleanup.policy": "compact"}))
    return missing.due


def test_ls_names_a_compacted_topic(compacted: str, fresh: Cli) -> None:
    """A topic that exists is left as it is by create; ls says what is wrong with it, also in JSON."""
    created = fresh("topics", "create")
    assert created.code == 0
    assert f"created {compacted}" not in created.lines
    listed = fresh("topics", "ls", "--json")
    assert listed.code == 1
    (shown,) = listed.objects
    (row,) = [row for row in shown["topics"] if row["name"] == compacted]
    assert (row["cleanup_policy"], row["partitions"]) == ("compact", 3)
    assert "cleanup.policy is compact" in row["problems"]
    wrong = [(problem["topic"], problem["setting"]) for problem in shown["problems"]]
    assert (compacted, "cleanup.policy") in wrong


def test_no_broker(own_directory: Path, missing: Topics) -> None:
    """Without a broker there is one line: the address, the setting and who set it."""
    port = "127.0.0.1:1"
    run = runs(environment(port, missing))("topics", "ls")
    assert run.code == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert port in line
    assert "kafka.bootstrap_servers, env STREAMER_KAFKA__BOOTSTRAP_SERVERS" in line
