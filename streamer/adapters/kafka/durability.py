"""What would let a cluster lose acknowledged records: looked at in production mode, where one broker may fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from streamer.adapters.kafka.topic_problems import Problem, TopicFacts, alter
from streamer.wire.topics import LEAST_IN_SYNC, LEAST_REPLICAS

OFFSETS_TOPIC = "__consumer_offsets"
_AGAIN = (
    "raise it by kafka-reassign-partitions.sh; or, while it is empty, delete it, set topics.replication to 3 and run: "
    "streamer topics create"
)


def fragile(bootstrap: str, facts: Iterable[TopicFacts], offsets_replicas: int | None) -> list[Problem]:
    """Return every setting by which acknowledged records, or the groups' offsets, could go with one broker.

    ``offsets_replicas`` is None where the cluster has no topic of offsets yet, or does not show it.
    """
    return list(chain(chain.from_iterable(_of(bootstrap, fact) for fact in facts), _of_offsets(offsets_replicas)))


def _of(bootstrap: str, fact: TopicFacts) -> Iterator[Problem]:
    def problem(setting: str, wanted: str, value: str) -> Problem:
        found = fact.config.get(setting, "unset")
        return Problem(
            fact.name, setting, found, f"{wanted} in production mode", alter(bootstrap, fact.name, setting, value)
        )

    if fact.replication < LEAST_REPLICAS:
        wanted = f"at least {LEAST_REPLICAS} in production mode"
        yield Problem(fact.name, "the number of replicas", str(fact.replication), wanted, _AGAIN)
    if int(fact.config.get("min.insync.replicas", "1")) < LEAST_IN_SYNC:
        # With one, "acks=all" is the leader alone, and what it acknowledged goes with its disk.
        yield problem("min.insync.replicas", f"at least {LEAST_IN_SYNC}", str(LEAST_IN_SYNC))
    if fact.config.get("unclean.leader.election.enable", "false") != "false":
        # A leader that was behind makes the log shorter, and those who have read the end go on as if nothing were.
        yield problem("unclean.leader.election.enable", "false", "false")


def _of_offsets(replicas: int | None) -> Iterator[Problem]:
    if replicas is not None and replicas < LEAST_REPLICAS:
        yield Problem(
            OFFSETS_TOPIC,
            "the number of replicas",
            str(replicas),
            f"at least {LEAST_REPLICAS} in production mode",
            "raise it by kafka-reassign-partitions.sh, and put offsets.topic.replication.factor=3 into each broker's "
            "server.properties",
        )
