"""Sends HTTP requests, to the addresses that were judged and to no others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamer import __version__
from streamer.adapters.extensions.signers import Signers
from streamer.adapters.http.auth import Credentials
from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.exchanger import End, Exchanger
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.headers import AUTHORIZATION, USER_AGENT, refusal_of
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.names import LookUp
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.pace import Pace
from streamer.adapters.http.prepare import Prepared, Preparer
from streamer.adapters.http.routes import Routes
from streamer.adapters.http.scrub import scrubbed
from streamer.adapters.http.secrets import Secrets
from streamer.adapters.http.tokens import Tokens
from streamer.adapters.http.transport import Transports
from streamer.core.delivery import Delivery
from streamer.core.lane_key import lane_key
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.send_policy import SendPolicy
from streamer.ports import Clock
from streamer.wire.masking import MASK, USUAL, Masking

_NO_POLICIES = PolicyBook()
_UNAUTHORIZED = 401
#: How a result shows that a call had the domain's credentials.
_OURS = (AUTHORIZATION, MASK)
#: So much of a token endpoint's answer is read.
_TOKEN_BYTES = 64 * 1024


class HttpSender:
    """Carries out exchanges, each with a client of its target's that is pinned to one judged address."""

    def __init__(
        self,
        clock: Clock,
        policy: AddressPolicy,
        library: HttpLibrary,
        *,
        policies: Callable[[], PolicyBook] = lambda: _NO_POLICIES,
        secrets: Secrets | None = None,
        options: ClientOptions | None = None,
        pace: Pace | None = None,
        user_agent: str = f"streamer/{__version__}",
        timeout_cap_ms: int = 300_000,
        keep_bytes: int = 64 * 1024,
        name_ttl_ms: int = 30_000,
        client_limit: int = 1024,
        look_up: LookUp | None = None,
        masking: Masking = USUAL,
        signers: Signers | None = None,
    ) -> None:
        """Prepare without a connection; ``look_up`` replaces the system's resolver."""
        routes = Routes(
            clock,
            policy,
            library,
            options or ClientOptions(),
            name_ttl_ms=name_ttl_ms,
            client_limit=client_limit,
            look_up=look_up,
        )
        self._clock = clock
        self._policies = policies
        self._exchanger = Exchanger(library, routes, Transports(secrets), pace)
        self._credentials = Credentials(Tokens(clock, self._ask))
        self._preparer = Preparer(policies, secrets, self._credentials, user_agent, masking)
        self._signers = signers
        self._user_agent = user_agent
        self._timeout_cap_ms = timeout_cap_ms
        self._keep_bytes = keep_bytes

    async def send(self, delivery: Delivery) -> Exchange:
        """Send the delivery's request once, within its timeout, following no redirect.

        A call that a target refuses for a token that has gone bad is made once more with a new one. Cancelling ends the
        wait, and with httpx the call. With pyreqwest (0.15.1), which detaches its own task, what is on the wire stays there
        until the request's timeout, and a call that is still connecting may yet be sent, for as long as the connect timeout.
        """
        clock = self._clock
        started_at_ms, began_ms = clock.now_ms(), clock.monotonic_ms()
        how = self._policies().how(delivery.lane, delivery.business, delivery.request.policy)
        timeout_ms = min(delivery.request.timeout_ms, self._timeout_cap_ms)
        prepared: Prepared | Failure | None = refusal_of(delivery.request)
        prepared = prepared or self._preparer.at_once(delivery, how, started_at_ms)
        if prepared is None or self._signers is not None:
            prepared = await self._ready(delivery, how, prepared, timeout_ms)
            timeout_ms -= int(clock.monotonic_ms() - began_ms)
        if isinstance(prepared, Failure):
            return Exchange(prepared, started_at_ms, clock.monotonic_ms() - began_ms)
        end, address = await self._exchanged(delivery, how, prepared, timeout_ms)
        if how.auth is not None and isinstance(end, Response) and end.status == _UNAUTHORIZED:
            left_ms = timeout_ms - int(clock.monotonic_ms() - began_ms)
            end, address = await self._again(delivery, how, prepared, left_ms) or (end, address)
        return Exchange(end, started_at_ms, clock.monotonic_ms() - began_ms, address, prepared.shown)

    async def close(self) -> None:
        """Close every connection."""
        await self._credentials.close()
        await self._exchanger.close()

    async def _ready(
        self, delivery: Delivery, how: SendPolicy, prepared: Prepared | Failure | None, timeout_ms: int
    ) -> Prepared | Failure:
        """Wait for all that a call needs before it can be made, the headers of extensions last."""
        began_ms = self._clock.monotonic_ms()
        if prepared is None:
            prepared = await self._prepared(delivery, how, timeout_ms)
        if self._signers is None or isinstance(prepared, Failure):
            return prepared
        left_ms = timeout_ms - int(self._clock.monotonic_ms() - began_ms)
        return await self._signers.signed(delivery, prepared, self._clock.now_ms(), max(1, left_ms))

    async def _prepared(self, delivery: Delivery, how: SendPolicy, timeout_ms: int) -> Prepared | Failure:
        """Wait for what a call needs of secrets and tokens, for no longer than the call may take."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._preparer.prepare(delivery, how, self._clock.now_ms())
        except TimeoutError:
            what = "the secrets and tokens that the call needs were not there in time"
            return Failure(ErrorType.CREDENTIALS, what, begun=False)

    async def _exchanged(self, delivery: Delivery, how: SendPolicy, prepared: Prepared, timeout_ms: int) -> End:
        request = delivery.request
        call = Outgoing(
            request.method,
            prepared.url,
            prepared.headers,
            request.body,
            max(1, timeout_ms),
            self._keep_bytes,
            delivery.lane,
            how,
            delivery.business,
            (how.auth is not None or self._signers is not None) and prepared.shows_credentials,
        )
        end, address = await self._exchanger.exchange(call, filled=prepared.url is not request.url)
        return scrubbed(end, prepared.hide) if prepared.hide else end, address

    async def _again(self, delivery: Delivery, how: SendPolicy, refused: Prepared, left_ms: int) -> End | None:
        """Make a call once more whose token the target has refused, where there are another token and time."""
        if how.auth is None or _OURS not in refused.shown or left_ms <= 0:
            return None
        value = next(value for name, value in refused.headers if name == AUTHORIZATION)
        if not self._credentials.renews(how.auth, value):
            return None
        prepared = await self._ready(delivery, how, None, left_ms)
        if isinstance(prepared, Failure):
            return Failure(prepared.error, f"the target refused the token, and {prepared.message}"), None
        return await self._exchanged(delivery, how, prepared, left_ms)

    async def _ask(self, request: Request) -> Response | Failure:
        """Make a call for a token, by the same ways as every other."""
        try:
            lane = lane_key(request.url)
        except ValueError as error:
            return Failure(ErrorType.BLOCKED, f"auth.token_url {error}", begun=False)
        call = Outgoing(
            request.method,
            request.url,
            [*request.headers, (USER_AGENT, self._user_agent)],
            request.body,
            request.timeout_ms,
            _TOKEN_BYTES,
            lane,
            self._policies().how(lane, "", None),
            shows_credentials=True,
        )
        end, _ = await self._exchanger.exchange(call, filled=True)
        return end
