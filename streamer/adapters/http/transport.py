"""How a target is spoken to: its TLS and HTTP version, with the PEM that its domain's secrets hold."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import NamedTuple

from streamer.adapters.http.secrets import SecretMissing, Secrets
from streamer.adapters.http.target import Target
from streamer.core.outcome import ErrorType, Failure
from streamer.core.send_policy import Http2, SendPolicy

log = logging.getLogger(__name__)

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
#: So many domains are remembered as told of; beyond, one may be told of again.
_TOLD_LIMIT = 4096


class Transport(NamedTuple):
    """Everything by which two clients of one target differ; ``authorities`` and ``identity`` are PEM.

    A tuple, because it is compared for every call.
    """

    http2: Http2 = Http2.AUTO
    verify: bool = True
    authorities: tuple[bytes, ...] = ()
    identity: bytes | None = None

    def __repr__(self) -> str:
        """Tell what there is, and no PEM: an identity holds a private key."""
        parts = f"authorities={len(self.authorities)}, identity={'***' if self.identity else None}"
        return f"Transport({self.http2}, verify={self.verify}, {parts})"


PLAIN = Transport()


class Transports:
    """Finds how to speak to a domain, and says aloud where no certificate is verified."""

    def __init__(self, secrets: Secrets | None) -> None:
        """Prepare; without a source of secrets no domain can have PEM of its own."""
        self._secrets = secrets
        self._told: dict[str, bool] = {}

    def at_once(self, target: Target, lane: str, how: SendPolicy) -> Transport | None:
        """Return how a target is spoken to where nothing has to be read, which is the usual case."""
        tls = how.tls
        if target.scheme == "http" or (tls.verify and tls.ca is None and tls.client_certificate is None):
            if self._told and target.scheme == "https":
                self._tell(lane, verify=True)
            return PLAIN if how.http2 is Http2.AUTO else Transport(how.http2)
        ca = self._peek(tls.ca)
        identity = self._peek(tls.client_certificate)
        if (tls.ca and ca is None) or (tls.client_certificate and identity is None):
            return None
        found = self._made(lane, how, ca, identity)
        return None if isinstance(found, Failure) else found

    async def find(self, lane: str, how: SendPolicy) -> Transport | Failure:
        """Return how a target with TLS is spoken to once its secrets are read, or why that cannot be."""
        try:
            ca = await self._read(how.tls.ca)
            identity = await self._read(how.tls.client_certificate)
        except SecretMissing as missing:
            return _unfit(str(missing))
        return self._made(lane, how, ca, identity)

    def _made(self, lane: str, how: SendPolicy, ca: bytes | None, identity: bytes | None) -> Transport | Failure:
        authorities = _certificates(ca) if ca is not None else ()
        if ca is not None and not authorities:
            return _unfit(f"secret {how.tls.ca}: tls.ca needs a certificate in PEM, and it holds none")
        self._tell(lane, verify=how.tls.verify)
        return Transport(how.http2, how.tls.verify, authorities, identity)

    def _peek(self, name: str | None) -> bytes | None:
        return None if name is None or self._secrets is None else self._secrets.peek(name)

    async def _read(self, name: str | None) -> bytes | None:
        if name is None:
            return None
        if self._secrets is None:
            raise SecretMissing(name, "this process has no source of secrets")
        return await self._secrets.get(name)

    def _tell(self, lane: str, *, verify: bool) -> None:
        """Warn once per domain when verification is off, and once when it is on again."""
        if self._told.get(lane, True) is verify:
            return
        if verify:
            del self._told[lane]
            log.warning("%s: its certificate is verified again", lane)
            return
        if len(self._told) >= _TOLD_LIMIT:
            self._told.clear()
        self._told[lane] = False
        log.warning(
            "%s: its certificate is not verified (tls.verify is false): whoever is in between can read all", lane
        )


@lru_cache(maxsize=64)
def _certificates(pem: bytes) -> tuple[bytes, ...]:
    # The library reads the first certificate of a text and no other.
    return tuple(_CERTIFICATE.findall(pem))


def _unfit(message: str) -> Failure:
    return Failure(ErrorType.CREDENTIALS, message, begun=False)
