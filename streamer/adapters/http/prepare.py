"""Makes a call ready: the secrets that it names, its credentials and its signature, put in at the last moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from streamer.adapters.http.auth import Credentials
from streamer.adapters.http.filled_request import (
    Unfit,
    blocked,
    filled_url,
    filled_value,
    named_in_headers,
    named_in_text,
    no_credentials,
)
from streamer.adapters.http.headers import AUTHORIZATION, WEBHOOK_SIGNATURE, outgoing_headers
from streamer.adapters.http.secrets import SecretMissing, Secrets
from streamer.adapters.http.signing import signature_of
from streamer.core.delivery import Delivery, webhook_id
from streamer.core.outcome import Failure
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.secret_template import MARK
from streamer.core.send_policy import Auth, SendPolicy, keys_for
from streamer.wire.masking import MASK, USUAL, Masking

#: Of a task's own sensitive values those that are as long are looked for in answers.
LEAST_OWN = 8


class Prepared(Struct, frozen=True, gc=False):
    """What goes on the wire, and what of it may be seen.

    ``shown`` are the headers as results have them: what the task wrote, never what was put in. ``hide`` are the values that
    must not come back in an answer that is kept.
    """

    url: str
    headers: list[tuple[str, str]]
    shown: tuple[tuple[str, str], ...]
    hide: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Tell what may be seen, and no more: the rest may hold secrets."""
        return f"Prepared(shown={self.shown!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tell no more to rich, which asks this, and not repr, of whatever stands in a traceback."""
        return [("shown", self.shown)]

    @property
    def shows_credentials(self) -> bool:
        """Tell whether somebody else than the task has set its Authorization."""
        return any(value == MASK and name.lower() == "authorization" for name, value in self.shown)


class _Needs(Struct, frozen=True, gc=False):
    """The secrets that a call cannot do without."""

    named: tuple[str, ...]
    auth: Auth | None
    keys: tuple[str, ...]

    def all(self) -> Iterator[str]:
        yield from self.named
        if self.auth is not None:
            yield self.auth.secret
        yield from self.keys


class Preparer:
    """Puts in what a call needs beside what its task says.

    Invariant: no failure has a part of a secret in its message.
    """

    def __init__(
        self,
        policies: Callable[[], PolicyBook],
        secrets: Secrets | None,
        credentials: Credentials,
        user_agent: str,
        masking: Masking = USUAL,
    ) -> None:
        """Prepare; ``masking`` tells which of a task's own values are looked for in answers, beside secrets."""
        self._policies = policies
        self._secrets = secrets
        self._credentials = credentials
        self._user_agent = user_agent
        self._masking = masking

    def at_once(self, delivery: Delivery, how: SendPolicy, now_ms: int) -> Prepared | None:
        """Return the call where nothing has to be waited for, which is the usual case; None where ``prepare`` must be asked."""
        request = delivery.request
        if not (request.sign or how.auth is not None or MARK in request.url or _marked(request.headers)):
            headers = outgoing_headers(delivery, now_ms, self._user_agent)
            return Prepared(request.url, headers, tuple(headers), self._own(request))
        if self._secrets is None:
            return None
        try:
            needs = self._needs(delivery, how, now_ms)
            values: dict[str, bytes] = {}
            for name in needs.all():
                value = self._secrets.peek(name)
                if value is None:
                    return None
                values[name] = value
            authorization = None
            if needs.auth is not None:
                authorization = self._credentials.at_once(needs.auth, values[needs.auth.secret])
                if authorization is None:
                    return None
            return self._made(delivery, needs, values, authorization, now_ms)
        except Unfit:
            return None

    async def prepare(self, delivery: Delivery, how: SendPolicy, now_ms: int) -> Prepared | Failure:
        """Return the call once its secrets are read, or why it cannot be made."""
        try:
            needs = self._needs(delivery, how, now_ms)
            values: dict[str, bytes] = {}
            for name in needs.all():
                if name not in values:
                    values[name] = await self._read(name)
            authorization = None
            if needs.auth is not None:
                found = await self._credentials.header(needs.auth, values[needs.auth.secret])
                if isinstance(found, Failure):
                    return found
                authorization = found
            return self._made(delivery, needs, values, authorization, now_ms)
        except Unfit as unfit:
            return unfit.failure

    async def _read(self, name: str) -> bytes:
        if self._secrets is None:
            raise Unfit(no_credentials(f"secret {name}: this process has no source of secrets"))
        try:
            return await self._secrets.get(name)
        except SecretMissing as missing:
            raise Unfit(no_credentials(str(missing))) from None

    def _needs(self, delivery: Delivery, how: SendPolicy, now_ms: int) -> _Needs:
        request = delivery.request
        named = tuple(dict.fromkeys([*named_in_text("url", request.url), *named_in_headers(request.headers)]))
        for name in named:
            self._check_scope(name, delivery)
        auth = how.auth
        if auth is not None and (
            (auth.businesses and delivery.business not in auth.businesses)
            # A task's own word goes before the domain's.
            or any(header.lower() == "authorization" for header, _ in request.headers)
        ):
            auth = None
        keys: list[str] = []
        if request.sign:
            keys = keys_for(how.signing, delivery.lane, now_ms)
            if not keys:
                whom = f"business {delivery.business} or domain {delivery.lane}"
                raise Unfit(no_credentials(f"no signing key is set for {whom}, and the task asks for a signature"))
        return _Needs(named, auth, tuple(keys))

    def _check_scope(self, name: str, delivery: Delivery) -> None:
        scope = self._policies().scope(name)
        if scope is None or not scope.covers(delivery.lane, delivery.business):
            raise Unfit(
                blocked(
                    f"secret {name} may not be named by tasks of business {delivery.business} for {delivery.lane}: "
                    f"`streamer secrets allow {name} --domain {delivery.lane}` lets them"
                )
            )

    def _made(
        self, delivery: Delivery, needs: _Needs, values: dict[str, bytes], authorization: str | None, now_ms: int
    ) -> Prepared:
        url, headers = delivery.request.url, outgoing_headers(delivery, now_ms, self._user_agent)
        shown = list(headers)
        if MARK in url:
            url = filled_url(url, values)
        # The task's own headers alone: one of ours that carries a caller's text, such as its id, is no template.
        own = {pair for pair in delivery.request.headers if MARK in pair[1]}
        if own:
            headers = [(pair[0], filled_value(*pair, values)) if pair in own else pair for pair in headers]
        hide = [*(values[name] for name in needs.named), *self._own(delivery.request)]
        if authorization is not None and needs.auth is not None:
            headers.append((AUTHORIZATION, authorization))
            shown.append((AUTHORIZATION, MASK))
            hide += (values[needs.auth.secret], authorization.rpartition(" ")[2].encode())
        if needs.keys:
            keys = [values[name] for name in needs.keys]
            try:
                signature = signature_of(keys, webhook_id(delivery), now_ms // 1000, delivery.request.body)
            except ValueError as error:
                raise Unfit(no_credentials(f"signing key {' or '.join(needs.keys)}: {error}")) from None
            headers.append((WEBHOOK_SIGNATURE, signature))
            shown.append((WEBHOOK_SIGNATURE, signature))
        return Prepared(url, headers, tuple(shown), tuple(hide))

    def _own(self, request: Request) -> tuple[bytes, ...]:
        """Return what the task itself says that is masked where people look."""
        found = self._masking.values_in(request.url, request.headers)
        if not found:
            return ()
        # A short one is no secret, and would be found everywhere. One that names a secret is known by its value.
        return tuple([text.encode("utf-8", "replace") for text in found if len(text) >= LEAST_OWN and MARK not in text])


def _marked(headers: tuple[tuple[str, str], ...]) -> bool:
    for _, value in headers:  # noqa: SIM110 - a generator would cost as much again, for every call.
        if MARK in value:
            return True
    return False
