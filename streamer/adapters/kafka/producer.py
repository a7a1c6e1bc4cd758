"""An idempotent producer that can be thrown away: what was not acknowledged is written again by the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError

from streamer.adapters.kafka.connections import shut
from streamer.adapters.kafka.shares import Receipt, RecordTooLarge, failure, forget, hand_over
from streamer.ports import Abandoned
from streamer.wire.outgoing import OutRecord

log = logging.getLogger(__name__)

_RETRY_S = 0.2
_CLOSE_S = 2.0


class DurableProducer:
    """Writes batches and returns only when the broker has acknowledged all of them.

    aiokafka's idempotent producer gets stuck for good after some broker hiccups, and a send may wait for ever while the
    broker is away. So each write has a deadline; past it, and after any error, the producer is aborted and the whole batch
    goes through a new one. A record may so be written twice, never not at all. ``may_write`` is asked before every try.
    """

    def __init__(
        self,
        client_options: Mapping[str, Any],
        *,
        linger_ms: int = 0,
        deadline_s: float = 30.0,
        max_record_bytes: int = 4 * 1024 * 1024,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._options = dict(client_options)
        self._linger_ms = linger_ms
        self._deadline_s = deadline_s
        self._max_record_bytes = max_record_bytes
        self._may_write = may_write
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()
        self._aborts = 0
        self._tries: set[asyncio.Timeout] = set()

    async def write(self, records: Sequence[OutRecord]) -> Receipt:
        """Write all, in order per partition; raises Abandoned when the right to write is lost first."""
        aborts = self._aborts
        while records:
            if not self._may_write() or aborts != self._aborts:
                raise Abandoned
            producer = None
            try:
                async with self._within_the_deadline():
                    producer = await self._current()
                    return await self._write(producer, records)
            except (MessageSizeTooLargeError, RecordTooLargeError) as error:
                raise RecordTooLarge(str(error)) from error
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("write of %s records not acknowledged, will be tried again: %r", len(records), error)
                await self._discard(producer)
                await asyncio.sleep(_RETRY_S)
        return Receipt()

    async def abort(self) -> None:
        """Close the socket at once and forget what was not acknowledged; pending writes raise Abandoned (RULES 4, 34)."""
        self._aborts += 1
        # Those too that still connect: they would write when the broker comes back.
        for each in self._tries:
            if not each.expired():
                each.reschedule(0)
        await self._discard(self._producer)

    async def close(self) -> None:
        """Stop the producer; nothing is pending, since every write is waited for."""
        await self._discard(self._producer)

    @asynccontextmanager
    async def _within_the_deadline(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self._deadline_s) as limit:
            self._tries.add(limit)
            try:
                yield
            finally:
                self._tries.discard(limit)

    async def _write(self, producer: AIOKafkaProducer, records: Sequence[OutRecord]) -> Receipt:
        shares = await hand_over(producer, records, self._max_record_bytes)
        try:
            done, _ = await asyncio.wait([share.future for share in shares])
        except BaseException:
            forget(shares)
            raise
        failed = [error for future in done if (error := failure(future)) is not None]
        if failed:
            raise failed[0]
        return Receipt(shares)

    async def _current(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=self._linger_ms,
                    max_batch_size=256 * 1024,
                    max_request_size=self._max_record_bytes,
                    request_timeout_ms=int(self._deadline_s * 1000),
                    **self._options,
                )
                try:
                    await producer.start()
                except BaseException:
                    await _abort(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer | None) -> None:
        if producer is None:
            return
        if self._producer is producer:
            self._producer = None
        await _abort(producer)


async def _abort(producer: AIOKafkaProducer) -> None:
    # stop() would flush, and waits for ever while the broker is away. So: the connections first, those too that are still
    # being made, then the sender's task, then whatever still waits for an acknowledgement.
    producer._closed = True
    with suppress(Exception):
        await shut(producer.client, _CLOSE_S)
    task = producer._sender.sender_task
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
    accumulator = producer._message_accumulator
    # A batch that waits for a second try has left this set, and its end would be logged as a fault.
    accumulator._pending_batches.update(batch for batches in accumulator._batches.values() for batch in batches)
    for batch in accumulator._pending_batches:
        batch._drain_waiter.add_done_callback(failure)
    accumulator.fail_all(KafkaError("the producer was aborted"))
