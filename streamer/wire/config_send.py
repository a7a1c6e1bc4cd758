"""The parts of a record on ``config`` that say how a task is sent, as the core's values."""

from __future__ import annotations

from ipaddress import ip_network

from streamer.core.answer_rules import check_pointer
from streamer.core.domain_name import parse_domain
from streamer.core.lane_key import lane_key
from streamer.core.send_policy import (
    AnswerRule,
    Auth,
    AuthKind,
    Meaning,
    Network,
    SecretScope,
    SigningKey,
    Tls,
)
from streamer.wire.config_send_model import (
    AnswerRuleRecord,
    AuthRecord,
    NetworkRecord,
    SigningKeyRecord,
    TlsRecord,
)
from streamer.wire.header_rules import check_headers
from streamer.wire.instants import parse_instant
from streamer.wire.request_policy import read_codes
from streamer.wire.secret_rules import check_secrets_of
from streamer.wire.unreadable import UnreadableRecord

Pairs = tuple[tuple[str, str], ...]


def read_headers(record: dict[str, str] | None) -> Pairs | None:
    """Return the headers that requests get which lack them."""
    if record is None:
        return None
    pairs = tuple(record.items())
    check_headers(pairs)
    check_secrets_of(pairs)
    return pairs


def read_tls(record: TlsRecord | None) -> Tls | None:
    """Return how certificates are judged."""
    if record is None:
        return None
    return Tls(record.verify is not False, record.ca, record.client_certificate)


def read_auth(record: AuthRecord | None) -> Auth | None:
    """Return a domain's credentials; UnreadableRecord where a field is missing or is another type's."""
    if record is None:
        return None
    needed = {"basic": {"user"}, "bearer": set(), "oauth2": {"user", "token_url"}}[record.type]
    allowed = needed | ({"scope", "audience"} if record.type == "oauth2" else set())
    for name in ("user", "token_url", "scope", "audience"):
        value = getattr(record, name)
        if value is None and name in needed:
            raise UnreadableRecord(f"auth.{name}", f"auth.{name} is required with type {record.type}")
        if value is not None and name not in allowed:
            raise UnreadableRecord(f"auth.{name}", f"auth.{name} does not go with type {record.type}")
    if record.type == "basic" and ":" in (record.user or ""):
        # RFC 7617 §2: what is behind the first colon would be read as the password.
        raise UnreadableRecord("auth.user", "auth.user may have no colon with type basic")
    if record.token_url is not None:
        try:
            lane_key(record.token_url)
        except ValueError as error:
            raise UnreadableRecord("auth.token_url", f"auth.token_url {error}") from None
    return Auth(
        AuthKind(record.type),
        record.secret,
        record.user or "",
        record.token_url or "",
        record.scope or "",
        record.audience or "",
        tuple(record.businesses or ()),
    )


def read_signing(records: list[SigningKeyRecord] | None) -> tuple[SigningKey, ...] | None:
    """Return the secrets that calls are signed with."""
    if records is None:
        return None
    return tuple([_signing_key(number, record) for number, record in enumerate(records)])


def read_rules(records: list[AnswerRuleRecord] | None) -> tuple[AnswerRule, ...] | None:
    """Return the rules on answers; UnreadableRecord where one says too little or too much."""
    if records is None:
        return None
    return tuple([_rule(f"answer.{number + 1}", record) for number, record in enumerate(records)])


def read_network(record: NetworkRecord | None) -> Network | None:
    """Return whom a business may call."""
    if record is None:
        return None
    return Network(
        _hosts("network.only_hosts", record.only_hosts),
        _hosts("network.deny_hosts", record.deny_hosts),
        tuple([_cidr(written) for written in record.deny_cidrs or ()]),
    )


def read_scope(domains: list[str] | None, businesses: list[str] | None) -> SecretScope | None:
    """Return which tasks may name a secret."""
    if domains is None:
        return None
    return SecretScope(tuple([_domain("domains", written) for written in domains]), tuple(businesses or ()))


def _signing_key(number: int, record: SigningKeyRecord) -> SigningKey:
    until_ms = None
    if record.until is not None:
        try:
            until_ms = max(0, parse_instant(record.until))
        except ValueError as error:
            raise UnreadableRecord("signing", f"signing.{number + 1}.until {error}") from None
    domain = None if record.domain is None else _domain(f"signing.{number + 1}.domain", record.domain)
    return SigningKey(record.secret, until_ms, domain)


def _rule(place: str, record: AnswerRuleRecord) -> AnswerRule:
    of_json = record.json_pointer is not None
    conditions = [
        ("is", record.values is not None, True),
        ("is_not", record.other_values is not None, True),
        ("contains", record.contains is not None, False),
        ("lacks", record.lacks is not None, False),
    ]
    given = [(name, needs_json) for name, is_given, needs_json in conditions if is_given]
    if len(given) > 1:
        raise UnreadableRecord("answer", f"{place} has {given[0][0]} and {given[1][0]}; one of them is allowed")
    if of_json and given and not given[0][1]:
        raise UnreadableRecord("answer", f"{place}: {given[0][0]} looks at the whole text, and does not go with json")
    if not of_json and (not given or given[0][1]):
        raise UnreadableRecord("answer", f"{place} must have json (with is, is_not or neither), contains or lacks")
    if record.json_pointer is not None:
        try:
            check_pointer(record.json_pointer)
        except ValueError as error:
            raise UnreadableRecord("answer", f"{place}.json: {error}") from None
    return AnswerRule(
        Meaning(record.then),
        read_codes("answer", record.codes),
        record.json_pointer,
        tuple(record.values or record.other_values or ()),
        record.contains or record.lacks,
        record.other_values is not None or record.lacks is not None,
    )


def _hosts(field: str, written: list[str] | None) -> tuple[str, ...]:
    return tuple([_domain(field, host) for host in written or ()])


def _domain(field: str, written: str) -> str:
    try:
        return parse_domain(written)
    except ValueError as error:
        raise UnreadableRecord(field.partition(".")[0], f"{field}: {error}") from None


def _cidr(written: str) -> str:
    try:
        return str(ip_network(written, strict=False))
    except ValueError:
        raise UnreadableRecord(
            "network.deny_cidrs", f'network.deny_cidrs: {written!r} is no network; write "10.1.0.0/16"'
        ) from None
