"""Host names and the addresses they led to: looked up off the hot path, judged, and remembered."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.target import literal_address
from streamer.core.outcome import ErrorType, Failure
from streamer.ports import Clock

LookUp = Callable[[str], Awaitable[Sequence[str]]]

#: Stands for the addresses of a name that an egress proxy resolves, and we do not.
BY_PROXY = ""

#: A name that does not resolve is not asked again for this long: a backlog for it asks once, not per call.
_FAILURE_TTL_MS = 1_000
#: Names that time out hold a thread each; this many of them leave the other names alone.
_THREADS = 32


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a host: its addresses, all allowed, the one to call first; or why there are none.

    ``fresh_until_ms`` and ``usable_until_ms`` are monotonic. Between the two the addresses are still used,
    while the name is looked up again. ``public`` tells that the addresses are called for being public, and by no word of
    the operator's.
    """

    addresses: tuple[str, ...]
    failure: Failure | None
    fresh_until_ms: float
    usable_until_ms: float
    public: bool = True


class Names:
    """Remembers hosts, at most ``limit`` of them, and looks each one up once at a time."""

    def __init__(
        self, policy: AddressPolicy, clock: Clock, look_up: LookUp | None, ttl_ms: int = 30_000, limit: int = 4096
    ) -> None:
        """Prepare an empty memory; ``look_up`` returns every address of a host, or raises OSError.

        Without ``look_up`` a proxy resolves the names: host rules and addresses in URLs are judged all the same.
        """
        self._policy = policy
        self._clock = clock
        self._look_up = look_up
        self._ttl_ms = ttl_ms
        self._limit = limit
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Known]] = {}

    def recall(self, host: str) -> Known | None:
        """Return what is known of a host and still usable; what is stale is asked anew in the background."""
        known = self._known.get(host)
        if known is None:
            return None
        now_ms = self._clock.monotonic_ms()
        if now_ms < known.fresh_until_ms:
            return known
        if now_ms >= known.usable_until_ms:
            return None
        self._ask(host)
        return known

    async def ask(self, host: str) -> Known:
        """Look a host up, or wait for the look-up that is under way."""
        # Shielded: a call that is given up must not take the answer from the others that wait for it.
        return await asyncio.shield(self._ask(host))

    def demote(self, host: str, address: str) -> None:
        """Put an address that could not be reached behind the host's others."""
        known = self._known.get(host)
        if known is not None and len(known.addresses) > 1 and known.addresses[0] == address:
            turned = (*known.addresses[1:], address)
            self._known[host] = replace(known, addresses=turned)

    async def close(self) -> None:
        """Give up every look-up that is under way."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask(self, host: str) -> asyncio.Task[Known]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.create_task(self._learn(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        return task

    async def _learn(self, host: str) -> Known:
        if (reason := self._policy.judge_host(host)) is not None:
            # Not even asked for: the question alone would tell somebody's name server something.
            return self._keep(host, self._blocked(host, reason))
        if (literal := literal_address(host)) is not None:
            return self._keep(host, self._judged(host, (literal,)))
        if self._look_up is None:
            return self._keep(host, self._by_proxy(host))
        try:
            known = self._judged(host, tuple(await self._look_up(host)))
        except (OSError, UnicodeError) as error:
            known = self._unknown(host, f"{host} does not resolve: {error}")
        return self._keep(host, known)

    def _keep(self, host: str, known: Known) -> Known:
        self._known[host] = known
        self._known.move_to_end(host)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return known

    def _judged(self, host: str, found: tuple[str, ...]) -> Known:
        now_ms = self._clock.monotonic_ms()
        until_ms, limit_ms = now_ms + self._ttl_ms, now_ms + 2 * self._ttl_ms
        for address in found:
            if (reason := self._policy.judge(host, address)) is not None:
                # One bad answer refuses all: who may answer with it may also answer with it alone.
                return self._blocked(host, reason)
        if not found:
            return self._unknown(host, f"{host} has no address")
        previous = self._known.get(host)
        if previous is not None and previous.addresses and previous.addresses[0] in found:
            # The order of a name's addresses changes with every answer; a connection should not.
            first = previous.addresses[0]
            found = (first, *(address for address in found if address != first))
        public = not all(self._policy.opens(host, address) for address in found)
        return Known(found, None, until_ms, limit_ms, public)

    def _by_proxy(self, host: str) -> Known:
        now_ms = self._clock.monotonic_ms()
        public = not self._policy.opens_host(host)
        return Known((BY_PROXY,), None, now_ms + self._ttl_ms, now_ms + 2 * self._ttl_ms, public)

    def _blocked(self, host: str, reason: str) -> Known:
        until_ms = self._clock.monotonic_ms() + self._ttl_ms
        return Known(
            (), Failure(ErrorType.BLOCKED, f"{host} may not be called: {reason}", begun=False), until_ms, until_ms
        )

    def _unknown(self, host: str, message: str) -> Known:
        previous = self._known.get(host)
        now_ms = self._clock.monotonic_ms()
        until_ms = now_ms + _FAILURE_TTL_MS
        if previous is not None and previous.addresses and now_ms < previous.usable_until_ms:
            # A resolver's hiccup is no reason to stop calling an address that is still usable.
            return replace(previous, failure=None, fresh_until_ms=until_ms)
        return Known((), Failure(ErrorType.DNS, message, begun=False), until_ms, until_ms)


class SystemLookUp:
    """Asks the operating system, in threads of its own."""

    def __init__(self) -> None:
        """Prepare the threads; they start when they are needed."""
        # Not the loop's executor: uvloop's has four threads, and four dead name servers would hold them all.
        self._threads = ThreadPoolExecutor(_THREADS, "streamer-names")

    async def __call__(self, host: str) -> Sequence[str]:
        """Return every address of a host, in the system's order of preference."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _getaddrinfo, host)
        return tuple(dict.fromkeys(found))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _getaddrinfo(host: str) -> list[str]:
    rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in rows]
