"""Attempts: each grant of the gate becomes one call, and what comes of it a settlement."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

from msgspec.structs import replace

from streamer.core.decide import decide
from streamer.core.delivery import Delivery, Why
from streamer.core.grant import Grant
from streamer.core.health import health_of
from streamer.core.judge import judge
from streamer.core.outcome import Exchange, Response
from streamer.core.policy_book import PolicyBook
from streamer.core.retry_after import retry_after_ms
from streamer.core.send_policy import SendPolicy
from streamer.core.verdict import RetryAt
from streamer.flow import steps
from streamer.flow.advice import Advice
from streamer.flow.gate import Gate
from streamer.flow.owned import Work
from streamer.flow.turnstile import Turnstile
from streamer.ports import Clock, Entropy, Meter, Sender

#: Answers whose Retry-After pauses the lane (RFC 9110 §10.2.3, RFC 6585 §4).
_MAY_ASK_FOR_A_PAUSE = (429, 503)
#: Waits that a schedule or a retry asked for: only these can be late.
_ON_TIME = (Why.SCHEDULED, Why.RETRY)


class Attempts:
    """Runs the calls; ``quiet`` is set while none is on the wire."""

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        sender: Sender,
        meter: Meter,
        policies: Callable[[], PolicyBook],
        retry_after_cap_ms: int,
        idle: Callable[[Work], bool],
        settle: Callable[[Work, steps.Emits, steps.MaybeEntry], None],
        fault: Callable[[Work, str], None],
        now: Callable[[str], steps.Now],
        advice: Advice | None = None,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._sender = sender
        self._meter = meter
        self._policies = policies
        self._retry_after_cap_ms = retry_after_cap_ms
        self._idle = idle
        self._settle = settle
        self._fault = fault
        self._now = now
        self._advice = advice
        self._turnstile = Turnstile()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = 0
        self.quiet = asyncio.Event()
        self.quiet.set()

    def begin(self, grant: Grant[Work], gate: Gate) -> None:
        """Begin a call."""
        self._running += 1
        self.quiet.clear()
        loop = self._loop
        if loop is None:
            # Kept: asyncio asks the system for the process's id each time that it is asked which loop runs.
            loop = self._loop = asyncio.get_running_loop()
        task = loop.create_task(self._run(grant, gate))
        grant.item.owned.tasks.add(task)
        # Not at the end of the task's own code: a task that is cancelled before its first step has none, and its place in
        # the lane would be lost.
        task.add_done_callback(lambda done: self._ended(grant, gate, done))

    def _ended(self, grant: Grant[Work], gate: Gate, task: asyncio.Task[None]) -> None:
        grant.item.owned.tasks.discard(task)
        self._running -= 1
        if not grant.ended:
            gate.abandon(grant)
        if not self._running:
            self.quiet.set()

    async def _run(self, grant: Grant[Work], gate: Gate) -> None:
        work, delivery = grant.item, grant.item.item
        assert isinstance(delivery, Delivery)
        if self._idle(work):
            return
        try:
            if delivery.why in _ON_TIME:
                late_ms = max(0, self._clock.now_ms() - delivery.due_at_ms)
                self._meter.observe("due_lateness_seconds", late_ms / 1000)
            # Asked before the call, as the sender asks: an answer is read by the policies that its call was sent under.
            how = self._policies().how(delivery.lane, delivery.business, delivery.request.policy)
            exchange = await self._sender.send(delivery)
            if (turn := self._turnstile.enter()) is not None:
                await turn
            self._came(grant, gate, delivery, how, exchange)
        except Exception:
            self._fault(work, traceback.format_exc(limit=8))

    def _came(self, grant: Grant[Work], gate: Gate, delivery: Delivery, how: SendPolicy, exchange: Exchange) -> None:
        """Decide what follows from a call that has ended."""
        if not how.tls.verify and delivery.request.url.startswith("https:"):
            exchange = replace(exchange, tls_verified=False)
        now = self._now(delivery.lane)
        judged = judge(delivery.request, exchange.end, how.answer)
        if self._advice is not None:
            judged = self._advice.on_answer(delivery, exchange, judged)
        pause_ms = self._pause_ms(exchange, now.ms)
        gate.end(grant, health_of(exchange.end), pause_ms)
        self._meter.count("attempts", label=judged.outcome.value)
        # What the receiver asks of this task alone leaves the lane's other tasks as they are.
        wait_ms = max(pause_ms or 0, min(judged.wait_ms or 0, self._retry_after_cap_ms))
        not_before_ms = now.ms + wait_ms if wait_ms else 0
        decision = decide(delivery, judged, now.ms, self._entropy.unit(), not_before_ms)
        if self._advice is not None and isinstance(decision, RetryAt):
            judged, decision = self._advice.on_retry(delivery, exchange, judged, decision, now.ms, not_before_ms)
        self._settle(grant.item, *steps.attempted(grant.item, delivery, exchange, judged, decision, now))

    def _pause_ms(self, exchange: Exchange, now_ms: int) -> int | None:
        end = exchange.end
        if not isinstance(end, Response) or end.status not in _MAY_ASK_FOR_A_PAUSE:
            return None
        return retry_after_ms(end.headers, now_ms, self._retry_after_cap_ms)
