"""Clients, one per target, each pinned to the one address that was judged."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from functools import partial

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.library import HttpClient, HttpLibrary
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import PLAIN, Transport

#: A target that was called a moment ago will be called again: its connections are not closed to make room.
QUIET_S = 1.0


class Pinned:
    """A client that can reach one address only, in one way, and how many calls it has in flight.

    ``most`` is the most calls at once that it had since its pool was empty: no more connections can be idle in it.
    ``shares`` tells that its calls share one connection, as those of HTTP/2 do.
    """

    __slots__ = ("address", "calls", "client", "most", "retired", "shares", "target", "transport")

    def __init__(self, client: HttpClient, target: Target, address: str, transport: Transport = PLAIN) -> None:
        """Wrap a client that was just built, for its first call."""
        self.client = client
        self.target = target
        self.address = address
        self.transport = transport
        self.shares = False
        self.calls = 1
        self.most = 1
        self.retired = False


class Clients:
    """Keeps at most ``limit`` clients; one that goes is closed only when its last call has ended.

    The library bounds the idle connections of one client, and has no way to close some of them. So where quiet clients keep
    too many together, those that were quiet for longest go as a whole.

    Invariant: a client's calls go to the address it was built with, with the certificates it was built with, or nowhere.
    """

    def __init__(self, library: HttpLibrary, options: ClientOptions, limit: int = 1024) -> None:
        """Prepare an empty cache."""
        self._library = library
        self._options = options
        self._limit = limit
        self._pinned: OrderedDict[Target, Pinned] = OrderedDict()
        #: Clients without a call, with when that began, the longest first; and the connections that may be idle in them.
        self._quiet: OrderedDict[Target, float] = OrderedDict()
        self._idle = 0
        self._building: dict[tuple[Target, str, Transport], asyncio.Task[HttpClient]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return how many clients are kept, those that only finish their calls not counted."""
        return len(self._pinned)

    def borrow(self, target: Target, address: str, transport: Transport = PLAIN) -> Pinned | None:
        """Return the target's client for one call, when there is one for this address and transport; it wants it back."""
        pinned = self._pinned.get(target)
        if pinned is None or pinned.address != address:
            return None
        if pinned.transport is not transport and pinned.transport != transport:
            return None
        self._pinned.move_to_end(target)
        calls = pinned.calls
        if not calls:
            self._wake(pinned)
        pinned.calls = calls = calls + 1
        if calls > pinned.most:
            pinned.most = calls
        return pinned

    async def build(self, target: Target, address: str, transport: Transport = PLAIN) -> Pinned:
        """Build the target's client for this address and transport, retire its previous one, and borrow it.

        Raises UnfitTransport.
        """
        key = (target, address, transport)
        task = self._building.get(key)
        if task is None:
            task = self._building[key] = asyncio.create_task(self._built(target, address, transport))
            task.add_done_callback(lambda _: self._building.pop(key, None))
        client = await asyncio.shield(task)
        if (pinned := self.borrow(target, address, transport)) is not None:
            return pinned
        self._retire(self._pinned.pop(target, None))
        pinned = self._pinned[target] = Pinned(client, target, address, transport)
        if len(self._pinned) > self._limit:
            self._retire(self._pinned.popitem(last=False)[1])
        return pinned

    def give_back(self, pinned: Pinned) -> None:
        """End a call; the last one of a retired client closes it."""
        pinned.calls -= 1
        if pinned.calls:
            return
        if pinned.retired:
            self._close(pinned)
            return
        now_s = time.monotonic()
        self._quiet[pinned.target] = now_s
        self._idle += self._kept(pinned)
        if self._idle > self._options.idle_total:
            self._make_room(now_s)

    async def close(self) -> None:
        """Close every client; calls in flight end with an error of the client's."""
        for task in tuple(self._building.values()):
            task.cancel()
        while self._pinned:
            self._close(self._pinned.popitem()[1])
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _retire(self, pinned: Pinned | None) -> None:
        if pinned is None:
            return
        pinned.retired = True
        if not pinned.calls:
            self._wake(pinned)
            self._close(pinned)

    def _make_room(self, now_s: float) -> None:
        """Let quiet clients go until the rest keeps no more idle connections than allowed."""
        while self._idle > self._options.idle_total:
            target, since_s = next(iter(self._quiet.items()))
            if now_s - since_s < QUIET_S:
                return
            pinned = self._pinned[target]
            if now_s - since_s > self._options.idle_timeout_ms / 1000:
                # Its pool has closed them all by itself; the client costs nothing, and to build it again would.
                self._wake(pinned)
                pinned.most = 0
            else:
                self._retire(self._pinned.pop(target))

    def _wake(self, pinned: Pinned) -> None:
        if self._quiet.pop(pinned.target, None) is not None:
            self._idle -= self._kept(pinned)

    def _kept(self, pinned: Pinned) -> int:
        # It changes with a call in flight only, never between what is added for a quiet client and what is taken off.
        if pinned.shares:
            return 1
        most, allowed = pinned.most, self._options.idle_per_host
        return most if most < allowed else allowed

    def _close(self, pinned: Pinned) -> None:
        task = asyncio.create_task(pinned.client.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _built(self, target: Target, address: str, transport: Transport) -> HttpClient:
        make = partial(self._library.build, self._options, target, address, transport)
        if target.scheme == "http":
            return make()
        # Reading the root certificates takes some 5 ms of CPU without the GIL: no need that all lanes wait.
        return await asyncio.get_running_loop().run_in_executor(None, make)
