"""A run that is written down from beginning to end, and judged by its ledgers alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from bench.kept_ledgers import KeptLedgers, followed, kept_ledgers, readers
from bench.ledgers import Accepted, Results, stages, waiting_tasks
from bench.oracle import Verdict
from bench.run_ledgers import Ledgers, Terms
from streamer.adapters.kafka.clients import client_options, cluster_id
from tests.support.installation import Installation
from tests.support.offset_watch import OffsetWatch, watched_offsets
from tests.support.topic_log import TopicLog, topic_log


@dataclass(frozen=True, slots=True)
class Recording:
    """What is being written down: who sends tells ``accepted``, who makes faults tells ``ledgers.process``."""

    place: Installation
    ledgers: KeptLedgers
    accepted: Accepted
    results: Results
    log: TopicLog[None]
    offsets: OffsetWatch

    async def until_ended(self, within_s: float) -> None:
        """Wait until every accepted task has an end, or for so long; then note which tasks still wait."""
        await self.results.until_ended(self.log, self.accepted, within_s)
        if not self.results.ended.issuperset(self.accepted.by_place.values()):
            self.ledgers.waiting(await waiting_tasks(self.place, self.accepted))

    def judged(self) -> Verdict:
        """Return the verdict, from the files; once the recording has ended."""
        return Ledgers.read(self.place.directory).judged()


@asynccontextmanager
async def recorded(place: Installation, terms: Terms) -> AsyncIterator[Recording]:
    """Write everything down that happens on an installation, into its directory.

    Workers must have ended before the context does: what they told at their very end is part of the run. The receivers' log
    is to be ``ARRIVALS`` in the same directory.
    """
    replace(terms, readers=readers(place)).write(place.directory)
    async with AsyncExitStack() as stack:
        ledgers = stack.enter_context(kept_ledgers(place.directory, place.topics))
        accepted = Accepted(await cluster_id(client_options(place.bootstrap)), keep=ledgers.accepted)
        results = Results(place.partitions, keep=ledgers.result)
        topic = place.topics.results
        log = await stack.enter_async_context(topic_log(place.bootstrap, topic, place.partitions, results.take))
        await stack.enter_async_context(followed(place, ledgers))
        # A group is not there before its first member, and the broker itself may be what is harmed.
        watch = watched_offsets(place.bootstrap, list(stages(place)), ledgers.sample, patient=True)
        offsets = await stack.enter_async_context(watch)
        yield Recording(place, ledgers, accepted, results, log, offsets)
        await log.to_end()
    if not offsets.samples:
        raise RuntimeError("nobody has seen a committed offset: the broker did not answer once")
