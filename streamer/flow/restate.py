"""Writes entries again where somebody else's write stands last in the changelog (RULES 4).

A stopped owner's write may land after its successor's. Whoever recovers both takes the successor's, by its epoch; but a log
that is compacted keeps the last record of a key alone. So the owner says again what holds before the log can be compacted.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from streamer.flow.owned import Owned
from streamer.flow.steps import with_epoch
from streamer.ports import Outbox

_MOST_AT_ONCE = 1_000


async def restate(owned: Owned, outbox: Outbox, release: Callable[[Owned, bytes], None]) -> int:
    """Write again what the table says of its ``outranked`` digests, a tombstone where it says nothing; return how many.

    Those of tasks in hand are left for the next time: their own writes may land at any moment.
    """
    outranked, total = owned.table.outranked, 0
    while owned.may_act():
        digests = list(islice((digest for digest in outranked if digest not in owned.busy), _MOST_AT_ONCE))
        if not digests:
            break
        with owned.keeping(digests, release):
            entries = {digest: owned.table.get(digest) for digest in digests}
            again = {digest: with_epoch(entry, owned.epoch) if entry else None for digest, entry in entries.items()}
            await outbox.log([(owned.number, digest, entry) for digest, entry in again.items()])
            for digest, entry in again.items():
                if entry is not None:
                    owned.table.put(digest, entry)
            outranked.difference_update(digests)
        total += len(digests)
    return total
