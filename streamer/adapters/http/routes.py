"""The way to a target: its name looked up, its addresses judged, and a client that is pinned to one of them."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.clients import Clients, Pinned
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.guard_network import judge_network
from streamer.adapters.http.library import HttpLibrary, UnfitTransport
from streamer.adapters.http.names import Known, LookUp, Names, SystemLookUp
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport
from streamer.core.outcome import ErrorType, Failure
from streamer.core.send_policy import Network
from streamer.ports import Clock


class Caller(Struct, frozen=True, gc=False):
    """For whom a target is called: by which transport, with credentials or without, and within what limits of whose.

    A Struct, because it is made for every call.
    """

    transport: Transport
    business: str = ""
    network: Network | None = None
    shows_credentials: bool = False


#: A host that is forgotten is looked up within a call: what is known of it is small beside its client, and kept for longer.
_LEAST_NAMES, _NAMES_PER_CLIENT = 4_096, 2


class Routes:
    """Leads calls to judged addresses, and to no others."""

    def __init__(
        self,
        clock: Clock,
        policy: AddressPolicy,
        library: HttpLibrary,
        options: ClientOptions,
        *,
        name_ttl_ms: int = 30_000,
        client_limit: int = 1024,
        look_up: LookUp | None = None,
    ) -> None:
        """Prepare without a connection; ``look_up`` replaces the system's resolver."""
        self.proxy = options.proxy
        self._policy = policy
        self._options = options
        self._system = SystemLookUp()
        names = max(_LEAST_NAMES, _NAMES_PER_CLIENT * client_limit)
        self._names = Names(policy, clock, None if options.proxy else look_up or self._system, name_ttl_ms, names)
        self._clients = Clients(library, options, client_limit)

    def at_once(self, target: Target, caller: Caller) -> Pinned | Failure | None:
        """Return the target's client when name and client are at hand, which is the usual case."""
        known = self._names.recall(target.host)
        if known is None:
            return None
        refusal = self._refusal(target, known, caller)
        return refusal or self._clients.borrow(target, known.addresses[0], caller.transport)

    async def find(self, target: Target, caller: Caller) -> Pinned | Failure:
        """Return the target's client, which wants to be given back; raises TimeoutError where the name takes too long."""
        known = self._names.recall(target.host)
        if known is None:
            async with asyncio.timeout(self._options.connect_timeout_ms / 1000):
                known = await self._names.ask(target.host)
        if (refusal := self._refusal(target, known, caller)) is not None:
            return refusal
        try:
            return await self._clients.build(target, known.addresses[0], caller.transport)
        except UnfitTransport as unfit:
            return Failure(ErrorType.CREDENTIALS, f"{target.host}: {unfit}", begun=False)

    def give_back(self, pinned: Pinned) -> None:
        """End a call."""
        self._clients.give_back(pinned)

    def unreached(self, target: Target, address: str) -> None:
        """Note that an address could not be reached: the name's next one has its turn."""
        self._names.demote(target.host, address)

    async def close(self) -> None:
        """Close every connection, and give up what is looked up."""
        await self._names.close()
        await self._clients.close()
        self._system.close()

    def _refusal(self, target: Target, known: Known, caller: Caller) -> Failure | None:
        if known.failure is not None:
            return known.failure
        reason = self._policy.judge_port(target.port, public=known.public)
        if reason is None and caller.network is not None:
            reason = judge_network(caller.network, caller.business, target.host, target.port, known.addresses)
        if reason is None and caller.shows_credentials and known.public and target.scheme == "http":
            # Who writes the URL chooses the scheme, and must not be able to show the domain's password to the whole way.
            reason = "the domain's credentials are shown to public addresses over https only"
        return Failure(ErrorType.BLOCKED, f"{target.host}: {reason}", begun=False) if reason is not None else None
