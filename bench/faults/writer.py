"""A producer that outlives its broker: it goes on when that is back, and tells what had no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

#: Kafka's own clients go on for two minutes; what is not acknowledged then may or may not be there.
_DELIVERY_S = 120.0
_AGAIN_S = 0.5
#: An idempotent producer that is stopped while its broker is away would wait for it for ever.
_STOP_S = 5.0


class PatientWriter:
    """Appends records, with a new producer after every failure: a sequence that was broken once stays broken."""

    def __init__(self, bootstrap: str) -> None:
        """Prepare a writer; it connects at its first record."""
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._replacing = asyncio.Lock()

    async def append(self, topic: str, key: bytes, value: bytes) -> RecordMetadata | None:
        """Append one record; None when nobody can say whether it is there."""
        producer = await self._current()
        try:
            async with asyncio.timeout(_DELIVERY_S):
                metadata = await (await producer.send(topic, value, key))
        except (KafkaError, TimeoutError):
            await self._give_up(producer)
            return None
        # A broker that has it, and no longer knows where.
        return None if metadata.offset < 0 else metadata

    async def stop(self) -> None:
        """Let go of the broker."""
        if self._producer is not None:
            await self._give_up(self._producer)

    async def _current(self) -> AIOKafkaProducer:
        async with self._replacing:
            while self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=2,
                    request_timeout_ms=int(_DELIVERY_S * 1000),
                )
                try:
                    await producer.start()
                    self._producer = producer
                except KafkaError:
                    await _stopped(producer)
                    await asyncio.sleep(_AGAIN_S)
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer) -> None:
        if producer is self._producer:
            self._producer = None
            await _stopped(producer)


async def _stopped(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await producer.stop()


@asynccontextmanager
async def patient_writer(bootstrap: str) -> AsyncIterator[PatientWriter]:
    """Lend a writer."""
    writer = PatientWriter(bootstrap)
    try:
        yield writer
    finally:
        await writer.stop()
