"""The book of policies that records on `config` make together."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.wire.config_model import Kind
from streamer.wire.config_record import ConfigRecord


def book_of(records: Iterable[ConfigRecord], settings: Policy, partitions: int) -> PolicyBook:
    """Return the book; ``settings`` hold where no record says otherwise, and ``partitions`` bound a lane's shards."""
    by_kind: dict[Kind, dict[str, Policy]] = {kind: {} for kind in Kind}
    for record in records:
        by_kind[record.kind][record.name] = record.policy
    return PolicyBook(
        by_kind[Kind.DEFAULT].get("", Policy()),
        by_kind[Kind.DOMAIN],
        by_kind[Kind.BUSINESS],
        by_kind[Kind.POLICY],
        by_kind[Kind.RATE_KEY],
        by_kind[Kind.SECRET],
        settings=settings,
        partitions=partitions,
    )
