"""Sends HTTP requests with pyreqwest, to the addresses that were judged and to no others."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from pyreqwest.exceptions import RequestError
from pyreqwest.http import Url
from pyreqwest.request import StreamRequest

from streamer import __version__
from streamer.adapters.http.answer import read_answer
from streamer.adapters.http.clients import ClientOptions, Clients, Pinned
from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.failures import failure_of
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.headers import outgoing_headers
from streamer.adapters.http.names import Known, LookUp, Names, SystemLookUp
from streamer.adapters.http.target import Target, read_target
from streamer.core.delivery import Delivery
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from streamer.ports import Clock

#: How much longer than the client's own timeout a call may take before it is cut off (RULES 6).
_GRACE_S = 1.0
_UNREACHED = (ErrorType.CONNECT, ErrorType.CONNECT_TIMEOUT)


class PyreqwestSender:
    """Carries out exchanges, each with a client of its target's that is pinned to one judged address."""

    def __init__(
        self,
        clock: Clock,
        policy: AddressPolicy,
        *,
        options: ClientOptions | None = None,
        user_agent: str = f"streamer/{__version__}",
        timeout_cap_ms: int = 300_000,
        keep_bytes: int = 64 * 1024,
        name_ttl_ms: int = 30_000,
        client_limit: int = 1024,
        look_up: LookUp | None = None,
    ) -> None:
        """Prepare without a connection; ``look_up`` replaces the system's resolver."""
        self._clock = clock
        self._options = options or ClientOptions()
        self._system = SystemLookUp()
        self._policy = policy
        self._names = Names(policy, clock, look_up or self._system, name_ttl_ms)
        self._clients = Clients(self._options, client_limit)
        self._deadlines = Deadlines()
        self._user_agent = user_agent
        self._timeout_cap_ms = timeout_cap_ms
        self._keep_bytes = keep_bytes

    async def send(self, delivery: Delivery) -> Exchange:
        """Send the delivery's request once, within its timeout, following no redirect.

        Cancelling ends the wait, not the call: pyreqwest (0.15.1) detaches its own task. What is on the wire stays
        there until the request's timeout, and a call that is still connecting may yet be sent, for as long as the
        connect timeout.
        """
        clock = self._clock
        started_at_ms, began_ms = clock.now_ms(), clock.monotonic_ms()
        headers = outgoing_headers(delivery, started_at_ms, self._user_agent)
        end, address = await self._attempt(delivery.request, headers)
        return Exchange(end, started_at_ms, clock.monotonic_ms() - began_ms, address, tuple(headers))

    async def close(self) -> None:
        """Close every connection."""
        self._deadlines.close()
        await self._names.close()
        await self._clients.close()
        self._system.close()

    async def _attempt(self, request: Request, headers: list[tuple[str, str]]) -> tuple[Response | Failure, str | None]:
        """Make the call, and return its end with the address that was called."""
        try:
            url = Url(request.url)
            target = read_target(url)
        except ValueError as error:
            return _refused(error), None
        timeout_ms = min(request.timeout_ms, self._timeout_cap_ms)
        pinned: Pinned | None = None
        try:
            with self._deadlines.within(timeout_ms / 1000 + _GRACE_S):
                found = self._ready(target) or await self._pin(target)
                if isinstance(found, Failure):
                    return found, None
                pinned = found
                try:
                    call = _call(pinned, request, url, headers, timeout_ms)
                except ValueError as error:
                    return _refused(error), None
                return await self._exchange(call, target, pinned.address), pinned.address
        except TimeoutError:
            return _cut_off(pinned, target), pinned.address if pinned is not None else None
        finally:
            if pinned is not None:
                self._clients.give_back(pinned)

    def _ready(self, target: Target) -> Pinned | Failure | None:
        """Return the target's client when name and client are at hand, which is the usual case."""
        known = self._names.recall(target.host)
        if known is None:
            return None
        return self._refusal(target, known) or self._clients.borrow(target, known.addresses[0])

    async def _pin(self, target: Target) -> Pinned | Failure:
        known = self._names.recall(target.host)
        if known is None:
            async with asyncio.timeout(self._options.connect_timeout_ms / 1000):
                known = await self._names.ask(target.host)
        return self._refusal(target, known) or await self._clients.build(target, known.addresses[0])

    def _refusal(self, target: Target, known: Known) -> Failure | None:
        if known.failure is not None or not known.public:
            return known.failure
        reason = self._policy.judge_port(target.port)
        return Failure(ErrorType.BLOCKED, f"{target.host}: {reason}", begun=False) if reason is not None else None

    async def _exchange(self, call: StreamRequest, target: Target, address: str) -> Response | Failure:
        try:
            return await read_answer(call, self._keep_bytes)
        except RequestError as error:
            failure = failure_of(error, target.scheme)
            if failure.error in _UNREACHED:
                self._names.demote(target.host, address)
            return failure


def _call(pinned: Pinned, request: Request, url: Url, headers: list[tuple[str, str]], timeout_ms: int) -> StreamRequest:
    builder = pinned.client.request(request.method, url).headers(headers)
    if request.body:
        builder = builder.body_bytes(request.body)
    return builder.timeout(timedelta(milliseconds=timeout_ms)).build_streamed()


def _refused(error: ValueError) -> Failure:
    """Return the end of a request that the parser or the client's own checks refuse: it can never be sent."""
    return Failure(ErrorType.BLOCKED, str(error), begun=False)


def _cut_off(pinned: Pinned | None, target: Target) -> Failure:
    if pinned is None:
        return Failure(ErrorType.DNS, f"{target.host} did not resolve in time", begun=False)
    return Failure(ErrorType.READ_TIMEOUT, "no end of the call in time")
