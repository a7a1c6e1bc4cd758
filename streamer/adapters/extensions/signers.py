"""Asks the signers of other packages for headers, when all else of a call is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from streamer.adapters.extensions.loader import Loaded
from streamer.adapters.http.filled_request import MAX_VALUE_BYTES, no_credentials
from streamer.adapters.http.headers import WEBHOOK_SIGNATURE
from streamer.adapters.http.prepare import LEAST_OWN, Prepared
from streamer.adapters.http.scrub import scrubbed
from streamer.core.delivery import Delivery, webhook_id
from streamer.core.extension_error import Misfit, told_error
from streamer.core.outcome import Failure
from streamer.extensions import Call, Signer
from streamer.ports import Meter
from streamer.wire.header_rules import MAX_HEADERS, MAX_TOTAL_BYTES, SINGLE, checked_name, is_header_value
from streamer.wire.masking import MASK
from streamer.wire.unreadable import UnreadableRecord

Headers = tuple[tuple[str, str], ...]


class Signers:
    """The signers in the order of the setting; each sees what those before it have added.

    Invariant: no failure has in its message what the call hides, nor a secret that the signer has read.
    """

    def __init__(self, signers: Sequence[Loaded[Signer]], meter: Meter) -> None:
        self._signers = tuple(signers)
        self._meter = meter

    async def signed(self, delivery: Delivery, prepared: Prepared, now_ms: int, timeout_ms: int) -> Prepared | Failure:
        """Return the call with the signers' headers, or why it cannot be made; all of them have this time together."""
        deadline_s = asyncio.get_running_loop().time() + timeout_ms / 1000
        for signer in self._signers:
            found = await self._headers(signer, delivery, prepared, now_ms, deadline_s)
            if isinstance(found, Failure):
                return found
            if found:
                prepared = _with(prepared, found)
        return prepared

    async def _headers(
        self, signer: Loaded[Signer], delivery: Delivery, prepared: Prepared, now_ms: int, deadline_s: float
    ) -> Headers | Failure:
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        timer = asyncio.timeout_at(deadline_s)
        try:
            async with timer:
                return _checked(await signer.object.headers(_call(delivery, prepared, now_ms)))
        except asyncio.CancelledError as error:
            if task is not None and task.cancelling() > before:
                raise
            # Something of the signer's own was cancelled: to pass that on would end the attempt without an end.
            return self._failed(signer, error, prepared)
        except TimeoutError as error:
            if not timer.expired():
                return self._failed(signer, error, prepared)
            self._meter.count("extension_errors", label=signer.name)
            return no_credentials(f"extension {signer.name}: its headers were not there within the call's time")
        except Exception as error:
            return self._failed(signer, error, prepared)

    def _failed(self, signer: Loaded[Signer], error: BaseException, prepared: Prepared) -> Failure:
        self._meter.count("extension_errors", label=signer.name)
        hide = (*prepared.hide, *signer.given.values())

        def hidden(text: str) -> str:
            end = scrubbed(no_credentials(text), hide)
            return end.message if isinstance(end, Failure) else ""

        return no_credentials(told_error(signer.name, error, hidden))


def _call(delivery: Delivery, prepared: Prepared, now_ms: int) -> Call:
    request = delivery.request
    return Call(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        domain=delivery.lane,
        method=request.method,
        url=prepared.url,
        headers=tuple(prepared.headers),
        body=request.body,
        attempt=delivery.attempt,
        generation=delivery.generation,
        webhook_id=webhook_id(delivery),
        metadata=request.metadata,
        at_ms=now_ms,
    )


def _checked(returned: object) -> Headers:
    """Return a signer's headers; raises Misfit where one may not be sent."""
    if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
        raise Misfit(f"returned {type(returned).__name__}, where a sequence of names and values is due")
    if len(returned) > MAX_HEADERS:
        raise Misfit(f"returned {len(returned)} headers; at most {MAX_HEADERS} are allowed")
    headers, single, total = list[tuple[str, str]](), set[str](), 0
    for pair in returned:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise Misfit("returned what is no pair of two texts, name and value")
        name, value = pair
        lower = _checked_name(name)
        if len(value) > MAX_VALUE_BYTES or not is_header_value(value):
            raise Misfit(
                f"returned {name}, whose value may have visible ASCII characters, with spaces and tabs between them, "
                f"{MAX_VALUE_BYTES} at most"
            )
        if lower in SINGLE and lower in single:
            raise Misfit(f"returned {name} more than once; one is allowed")
        single.add(lower)
        total += len(name) + len(value) + 4
        headers.append((name, value))
    if total > MAX_TOTAL_BYTES:
        raise Misfit(f"returned headers of {total} bytes; at most {MAX_TOTAL_BYTES} are allowed")
    return tuple(headers)


def _checked_name(name: str) -> str:
    if name.lower() == WEBHOOK_SIGNATURE:
        return WEBHOOK_SIGNATURE
    try:
        return checked_name(name)
    except UnreadableRecord as error:
        raise Misfit(f"returned a header that may not be sent: {error.reason}") from None


def _with(prepared: Prepared, more: Headers) -> Prepared:
    names = {name.lower() for name, _ in more}
    return Prepared(
        prepared.url,
        [*_others(prepared.headers, names), *more],
        (*_others(prepared.shown, names), *((name, MASK) for name, _ in more)),
        (*prepared.hide, *_hidden(more)),
    )


def _others(headers: Iterable[tuple[str, str]], names: set[str]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0].lower() not in names]


def _hidden(headers: Headers) -> list[bytes]:
    # The scheme before a credential (RFC 9110 §11.4) is no part of it. A short value would be found everywhere.
    values = [text for _, value in headers for text in (value, value.partition(" ")[2])]
    return [text.encode() for text in values if len(text) >= LEAST_OWN]
