"""What time it is for the broker, by a record of our own that it puts its time on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamer.adapters.kafka.producer import DurableProducer
from streamer.core.clock_skew import skew_ms
from streamer.ports import Abandoned, Clock
from streamer.wire.outgoing import OutRecord

_DEADLINE_S = 5.0
#: No lane has this name: a lane's is a host, and a host has no space.
_KEY = b"clock of a worker"


class BrokerClock:
    """Writes a tombstone of a key that never had a value, and reads the broker's time from the acknowledgement.

    On `lanes`, which is compacted: the tombstone says nothing to its readers and goes by itself; no topic, no right and no
    request is needed that a worker does not have anyway.
    """

    def __init__(self, client_options: Mapping[str, Any], lanes_topic: str, clock: Clock) -> None:
        self.topic = lanes_topic
        self._clock = clock
        self._tries: Iterator[bool] = iter(())
        self._producer = DurableProducer(
            client_options, deadline_s=_DEADLINE_S, may_write=lambda: next(self._tries, False)
        )

    async def skew_ms(self) -> int | None:
        """Return by how much our clock is ahead of the leader's; None where the topic keeps producers' times.

        Raises TimeoutError when it is not acknowledged in time.
        """
        record = OutRecord(self.topic, None, _KEY, 0)
        before_ms = self._clock.now_ms()
        self._tries = iter((True,))
        try:
            receipt = await self._producer.write([record])
        except Abandoned:
            raise TimeoutError(f"not acknowledged within {_DEADLINE_S:g} s") from None
        after_ms = self._clock.now_ms()
        broker_ms = receipt.stamped_at_ms()
        return None if broker_ms is None else skew_ms(before_ms, broker_ms, after_ms)

    async def close(self) -> None:
        """Close the connections."""
        await self._producer.close()
