"""What may be said, beside limits, about how a task is sent: TLS, HTTP/2, credentials, signatures, what answers mean.

Must not know any secret: secrets are named, and read where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from streamer.core.codes import Codes
from streamer.core.domain_name import pattern_covers


class Http2(StrEnum):
    """How HTTP/2 is come by: agreed upon in TLS (ALPN, RFC 7301), spoken at once (RFC 9113 §3.3), or never."""

    AUTO = "auto"
    PRIOR_KNOWLEDGE = "prior_knowledge"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Tls:
    """How a domain's certificate is judged, and what we show; ``ca`` and ``client_certificate`` name secrets with PEM.

    With a ``ca`` of its own a domain's certificate may come from that authority, or from those that the system trusts.
    """

    verify: bool = True
    ca: str | None = None
    client_certificate: str | None = None


class AuthKind(StrEnum):
    """How we show a target who we are: RFC 7617, RFC 6750, or RFC 6749 §4.4."""

    BASIC = "basic"
    BEARER = "bearer"
    OAUTH2 = "oauth2"


@dataclass(frozen=True, slots=True)
class Auth:
    """Credentials for a domain; ``secret`` names the password, the token or the client's secret.

    Only the businesses named have the use of them; with none named all have.
    """

    kind: AuthKind
    secret: str
    user: str = ""
    token_url: str = ""
    scope: str = ""
    audience: str = ""
    businesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret that calls are signed with (Standard Webhooks 1.0.0): until an instant, and for some domains only.

    ``until_ms`` is None for a key without an end; ``domain`` is a lane, ``*.example.com``, or None for all. ``rank`` tells
    whose key it is: 0 for the most specific of those who speak about a task.
    """

    secret: str
    until_ms: int | None = None
    domain: str | None = None
    rank: int = 0


class Meaning(StrEnum):
    """What an answer rule makes of an answer."""

    SUCCESS = "success"
    RETRY = "retry"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """What an answer means whose body says something; many receivers answer 200 with an error code inside.

    Holds for answers with a status among ``codes`` (None: 2xx). ``pointer`` (RFC 6901) names a field of a JSON body, which
    must be one of ``values`` (empty: be there at all), or none of them when ``negate``; without a pointer the body, as
    text, must hold ``text``, or not hold it.
    """

    then: Meaning
    codes: Codes | None = None
    pointer: str | None = None
    values: tuple[str | int | float | bool | None, ...] = ()
    text: str | None = None
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """Whom a business may call: what it denies or lacks is refused beside the installation's own rules.

    With ``only_hosts`` it may call these alone. Hosts are names, or ``*.example.com`` for every name below one.
    """

    only_hosts: tuple[str, ...] = ()
    deny_hosts: tuple[str, ...] = ()
    deny_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretScope:
    """Which tasks may name a secret in ``${secret:NAME}``: those for these domains and of these businesses.

    Domains are lanes or ``*.example.com``; without businesses all have the use of it.
    """

    domains: tuple[str, ...] = ()
    businesses: tuple[str, ...] = ()

    def covers(self, lane: str, business: str) -> bool:
        """Tell whether a business's task for a lane may name the secret."""
        if self.businesses and business not in self.businesses:
            return False
        return any(pattern_covers(pattern, lane) for pattern in self.domains)


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """How a task is sent, from everybody who speaks about it."""

    tls: Tls = field(default_factory=Tls)
    http2: Http2 = Http2.AUTO
    auth: Auth | None = None
    signing: tuple[SigningKey, ...] = ()
    answer: tuple[AnswerRule, ...] = ()
    network: Network | None = None


def keys_for(keys: Sequence[SigningKey], lane: str, now_ms: int) -> list[str]:
    """Return the names of the secrets to sign with, in their order.

    Of whoever has keys in force for the lane the most specific counts, and there the closest domain.
    """
    alive = [key for key in keys if key.until_ms is None or now_ms < key.until_ms]
    covering = [key for key in alive if key.domain is None or pattern_covers(key.domain, lane)]
    if not covering:
        return []
    first = min(key.rank for key in covering)
    covering = [key for key in covering if key.rank == first]
    closest = max(_closeness(key.domain, lane) for key in covering)
    return [key.secret for key in covering if _closeness(key.domain, lane) == closest]


def _closeness(domain: str | None, lane: str) -> int:
    if domain is None:
        return 0
    return 1_000 if domain == lane else len(domain)
