"""Claim: an id or business id belongs to the record that used it first; the others are answered (RULES 12)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from streamer.core.claims import ClaimEntry, ClaimVerdict, business_digest, claimant, judge_claim
from streamer.core.delivery import Delivery
from streamer.core.emit import Because, Emit, FirstPass
from streamer.core.identity import claim_key
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.partitioning import lane_hash
from streamer.flow import results
from streamer.flow.faults import about
from streamer.flow.owned import Batch, Owned, Work, work_of
from streamer.ports import Abandoned, Change, Clock, Meter, Outbox

log = logging.getLogger(__name__)

#: Claims live in the tasks' changelog under this prefix (RULES 28).
KEY_PREFIX = b"c"
_OLD_AT_ONCE = 1_000
_AGAIN_MS = 5_000
_DECIDED_BY = "claim"


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """How long a claim holds, and how many a business may hold in one partition."""

    unique_for_s: int = 7 * 86_400
    per_business: int = 1_000_000


class ClaimStage:
    """Takes batches of claims; writes in groups: first what is let through, then the claim, then the record is done."""

    def __init__(self, clock: Clock, outbox: Outbox, meter: Meter, limits: ClaimLimits) -> None:
        self._clock = clock
        self._outbox = outbox
        self._meter = meter
        self._limits = limits
        self._queue: list[Work] = []
        #: Claims that are being written: one whose write failed is tried again, and nobody else may have the id meanwhile.
        self._begun: dict[tuple[int, bytes], ClaimEntry] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def accept(self, batch: Batch, owned: Owned) -> None:
        """Take a batch in hand."""
        for offset, size, item in batch.records:
            if batch.window.take(offset, size):
                self._queue.append(work_of(item, owned, batch.window, batch.source, offset))
        if self._queue:
            self._wake.set()
            self._idle.clear()

    async def run(self) -> None:
        """Judge and write groups until cancelled."""
        while True:
            if not self._queue:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            group, self._queue = self._queue, []
            await self._try(group)

    async def _try(self, group: list[Work]) -> None:
        live = [work for work in group if work.owned.may_act()]
        try:
            await self._settle(live)
        except Abandoned:
            return
        except Exception:
            if len(live) > 1:
                # One record that cannot be handled must not hold up the others: each goes alone.
                for work in live:
                    await self._try([work])
                return
            log.exception("a claim could not be handled; tried again in %s ms", _AGAIN_MS, extra=about(live[0]))
            self._meter.count("faults")
            live[0].owned.spawn(self._again(live[0]))

    async def _again(self, work: Work) -> None:
        await self._clock.sleep_ms(_AGAIN_MS)
        self._queue.append(work)
        self._wake.set()
        self._idle.clear()

    async def drain(self, deadline_ms: float) -> bool:
        """Wait for what is in hand; tell whether all of it is settled."""
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                await self._idle.wait()
                return True
        except TimeoutError:
            return False

    def resume(self) -> None:
        """Do nothing: a claim that is handled while offsets are committed costs no call."""

    def give_up(self, owned: Owned) -> None:
        """Forget the work of a partition."""
        self._queue = [work for work in self._queue if work.owned is not owned]
        self._begun = {place: claim for place, claim in self._begun.items() if place[0] != owned.number}

    async def forget_old(self, owned: Owned) -> int:
        """Forget claims that have outlived their time; return how many."""
        keys = owned.claims.older_than(self._clock.now_ms() // 1000 - self._limits.unique_for_s, _OLD_AT_ONCE)
        if keys and owned.may_act():
            await self._outbox.log([(owned.number, KEY_PREFIX + key, None) for key in keys])
            owned.claims.forget_many(keys)
        return len(keys)

    async def _settle(self, group: list[Work]) -> None:
        now_ms = self._clock.now_ms()
        emits: list[Emit] = []
        made: dict[tuple[int, bytes], ClaimEntry] = {}
        held: dict[tuple[int, bytes], int] = {}
        for work in group:
            if isinstance(work.item, Delivery):
                emits.extend(self._judge(work, work.item, made, held, now_ms))
            else:
                emits.append(work.item)  # type: ignore[arg-type]
        self._begun |= made
        if emits:
            await self._outbox.publish(emits)
        if made:
            changes: list[Change] = [(number, KEY_PREFIX + key, entry) for (number, key), entry in made.items()]
            await self._outbox.log(changes)
        self._done(group, made)

    def _judge(
        self,
        work: Work,
        delivery: Delivery,
        made: dict[tuple[int, bytes], ClaimEntry],
        held: dict[tuple[int, bytes], int],
        now_ms: int,
    ) -> list[Emit]:
        owned = work.owned
        key = claim_key(delivery.business, delivery.business_id, delivery.task_id)
        by, business = claimant(delivery.origin), business_digest(delivery.business)
        begun = self._begun.get((owned.number, key))
        if begun is not None and begun.claimant == by:
            begun = None
        entry = made.get((owned.number, key)) or begun or owned.claims.get(key)
        if (count := held.get((owned.number, business))) is None:
            # No claim is kept before the whole group is judged: each of a business would find the same.
            count = held[owned.number, business] = owned.claims.held_by(business)
        limits = self._limits
        verdict = judge_claim(entry, by, now_ms // 1000, limits.unique_for_s, count, limits.per_business)
        self._meter.count("claims", label=verdict.value)
        if verdict is ClaimVerdict.FIRST:
            made[owned.number, key] = ClaimEntry(now_ms // 1000, by, work.content, business, lane_hash(delivery.lane))
            return [FirstPass(delivery)]
        if verdict is ClaimVerdict.AGAIN:
            return [FirstPass(delivery)]
        if verdict is ClaimVerdict.ALREADY_THROUGH:
            return []
        if verdict is ClaimVerdict.FULL:
            because = Because("claims_full", _DECIDED_BY, reason="quota", detail="the business holds too many ids")
            return [results.without_attempt(delivery, Outcome.REJECTED, State.REJECTED, because, now_ms)]
        same = "the same request" if entry is not None and entry.content == work.content else "another request"
        because = Because("duplicate", _DECIDED_BY, reason="duplicate", detail=f"the id was used first by {same}")
        return [results.without_attempt(delivery, Outcome.DUPLICATE, None, because, now_ms)]

    def _done(self, group: list[Work], made: dict[tuple[int, bytes], ClaimEntry]) -> None:
        by_owner: dict[int, Owned] = {work.owned.number: work.owned for work in group}
        for number, owned in by_owner.items():
            claims = [(key, entry) for (at, key), entry in made.items() if at == number]
            if claims:
                owned.claims.put_many(claims)
        for place in made:
            self._begun.pop(place, None)
        for work in group:
            if work.owned.open:
                work.finish()
