"""OAuth 2 tokens by client credentials (RFC 6749 §4.4): fetched once for all calls, kept, and renewed before their end."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streamer.adapters.http.token_request import Granted, read_grant, token_request
from streamer.core.outcome import Failure, Response
from streamer.core.request import Request
from streamer.core.send_policy import Auth
from streamer.ports import Clock

#: Makes a call for a token; guarded and pinned as every other.
Ask = Callable[[Request], Awaitable[Response | Failure]]

#: A token is used until this long before its end, or a tenth of its life, so that it does not end on the way.
_MARGIN_MS = 30_000
#: From this part of its life on a token is renewed while it is still used.
_RENEW_AT = 0.75
#: An endpoint that failed is not asked again for this long: a backlog asks once, not once per call.
_REST_MS = 5_000
#: A token that is younger is not dropped for having been refused.
_YOUNG_MS = 30_000
#: So many tokens are kept; the one that was used longest ago goes first.
_KEPT = 4_096


@dataclass(slots=True)
class _Kept:
    """A token as a header's value, and its times on the monotonic clock; or why there is none, until when."""

    value: str
    failure: Failure | None
    got_at_ms: float
    renew_at_ms: float
    until_ms: float
    secret: bytes
    previous: str = ""

    def __repr__(self) -> str:
        return f"_Kept(until_ms={self.until_ms:.0f}, failure={self.failure})"


class Tokens:
    """Keeps a token per credentials, and asks for each of them once at a time."""

    def __init__(self, clock: Clock, ask: Ask) -> None:
        """Prepare without a token."""
        self._clock = clock
        self._ask = ask
        self._kept: OrderedDict[Auth, _Kept] = OrderedDict()
        self._asking: dict[Auth, asyncio.Task[_Kept]] = {}

    def recall(self, auth: Auth, secret: bytes) -> str | None:
        """Return the header's value when there is a token in use; one that is near its end is renewed in the background."""
        kept = self._kept.get(auth)
        now_ms = self._clock.monotonic_ms()
        if kept is None or kept.failure is not None or now_ms >= kept.until_ms or kept.secret != secret:
            return None
        self._kept.move_to_end(auth)
        if now_ms >= kept.renew_at_ms:
            self._fetch(auth, secret)
        return kept.value

    async def get(self, auth: Auth, secret: bytes) -> str | Failure:
        """Return the header's value, fetched if it must be; or why there is none."""
        kept = self._kept.get(auth)
        if kept is None or self._clock.monotonic_ms() >= kept.until_ms or kept.secret != secret:
            # Shielded: a call that is given up must not take the token from the others that wait for it.
            kept = await asyncio.shield(self._fetch(auth, secret))
        return kept.failure or kept.value

    def drop(self, auth: Auth, refused: str) -> bool:
        """Forget a token that the target has refused; tell whether another one is, or may be, had."""
        kept = self._kept.get(auth)
        if kept is None:
            return False
        if refused == kept.previous:
            return True
        if refused != kept.value or self._clock.monotonic_ms() - kept.got_at_ms < _YOUNG_MS:
            return False
        kept.until_ms = 0
        return True

    async def close(self) -> None:
        """Give up every token that is being fetched."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fetch(self, auth: Auth, secret: bytes) -> asyncio.Task[_Kept]:
        task = self._asking.get(auth)
        if task is None:
            task = self._asking[auth] = asyncio.create_task(self._fetched(auth, secret))
            task.add_done_callback(lambda _: self._asking.pop(auth, None))
        return task

    async def _fetched(self, auth: Auth, secret: bytes) -> _Kept:
        found = await self._granted(auth, secret)
        now_ms = self._clock.monotonic_ms()
        before = self._kept.get(auth)
        if isinstance(found, Failure):
            if before is not None and before.failure is None and before.secret == secret and now_ms < before.until_ms:
                # The token in use is still good: it is renewed again after a rest.
                before.renew_at_ms = now_ms + _REST_MS
                return before
            kept = _Kept("", found, now_ms, 0, now_ms + _REST_MS, secret)
        else:
            life_ms = found.life_ms
            until_ms = now_ms + life_ms - min(_MARGIN_MS, life_ms / 10)
            previous = before.value if before is not None else ""
            kept = _Kept(found.value, None, now_ms, now_ms + life_ms * _RENEW_AT, until_ms, secret, previous)
        self._kept[auth] = kept
        self._kept.move_to_end(auth)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return kept

    async def _granted(self, auth: Auth, secret: bytes) -> Granted | Failure:
        request = token_request(auth, secret)
        if isinstance(request, Failure):
            return request
        return read_grant(auth, await self._ask(request))
