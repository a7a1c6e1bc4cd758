"""The receivers: how each call ends, by the domain's manner at that moment."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from msgspec import Struct

from streamer.core.delivery import Delivery
from streamer.core.outcome import ErrorType, Failure, Response
from tests.simulation.storm.plan import Domain

_GOOD, _BAD, _GONE = Response(200), Response(503), Response(410)
_REFUSING = Failure(ErrorType.CONNECT, "connection refused", begun=False)
_LATE = Failure(ErrorType.FIRST_BYTE_TIMEOUT, "no answer began in time")


class Answer(Struct, frozen=True, gc=False):
    """How a call ends and when, and the pause that the target asks for."""

    end: Response | Failure
    took_ms: int
    retry_after_ms: int | None = None


class Targets:
    """Answers calls; the answer follows from the seed, the request and the attempt, whatever else happens in the run."""

    def __init__(self, seed: int, domains: tuple[Domain, ...], now_ms: Callable[[], float]) -> None:
        self._seed = f"{seed} ".encode()
        self._domains = {domain.name: domain for domain in domains}
        self._now_ms = now_ms

    def answer(self, delivery: Delivery) -> Answer:
        """Return how a call that begins now ends."""
        manner = self._domains[delivery.lane].manner(self._now_ms())
        what = b"%b%b %d %d" % (self._seed, delivery.request.body, delivery.generation, delivery.attempt)
        least_ms, most_ms = manner.service_ms
        took_ms = least_ms + crc32(what) % (most_ms - least_ms + 1)
        if took_ms > delivery.request.timeout_ms:
            return Answer(_LATE, delivery.request.timeout_ms)
        luck = crc32(b"luck " + what) / 2**32
        if luck < manner.limited:
            wait_s = (1, 3, 20)[crc32(what) % 3]
            return Answer(Response(429, (("Retry-After", str(wait_s)),)), took_ms, wait_s * 1_000)
        if luck < manner.limited + manner.unreachable:
            return Answer(_REFUSING, took_ms)
        if luck < manner.limited + manner.unreachable + manner.failing:
            return Answer(_BAD, took_ms)
        return Answer(_GONE if luck > 1 - manner.fatal else _GOOD, took_ms)
