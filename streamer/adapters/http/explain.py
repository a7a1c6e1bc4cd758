"""Why a URL may be called or not: the very checks that a task's URL meets, one after the other, with no call made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.guard_network import judge_network
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.names import LookUp
from streamer.adapters.http.target import Target, literal_address
from streamer.core.lane_key import lane_key
from streamer.core.send_policy import Network


@dataclass(frozen=True, slots=True)
class Check:
    """One check, whether it was passed, and what was found."""

    name: str
    passed: bool
    found: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """A business, and whom it may call, where that is said."""

    name: str
    network: Network | None


async def explain(
    url: str, library: HttpLibrary, policy: AddressPolicy, look_up: LookUp | None, tenant: Tenant | None = None
) -> list[Check]:
    """Check a URL as intake and sender do; checks that hang on one that failed are left out.

    Without ``look_up`` an egress proxy resolves the names. The last check is the business's own, where there is one.
    """
    try:
        lane = lane_key(url)
        target, parsed = library.read(url)
    except ValueError as error:
        return [Check("url", False, str(error))]
    checks = [Check("url", True, f"sent as {parsed}; its domain is {lane}")]
    if (reason := policy.judge_host(target.host)) is not None:
        return [*checks, Check("host", False, reason)]
    checks.append(Check("host", True, f"{target.host} is not denied"))
    if (literal := literal_address(target.host)) is not None:
        return [*checks, *_of_addresses(target, policy, (literal,), tenant)]
    if look_up is None:
        checks.append(Check("name", True, f"{target.host} is resolved by http.proxy, which has to judge its addresses"))
        return [*checks, *_last_checks(target, policy, (), public=not policy.opens_host(target.host), tenant=tenant)]
    try:
        addresses = tuple(await look_up(target.host))
    except (OSError, UnicodeError) as error:
        return [*checks, Check("name", False, f"{target.host} does not resolve: {error}")]
    if not addresses:
        return [*checks, Check("name", False, f"{target.host} has no address")]
    return [*checks, *_of_addresses(target, policy, addresses, tenant)]


def _of_addresses(
    target: Target, policy: AddressPolicy, addresses: tuple[str, ...], tenant: Tenant | None
) -> Iterator[Check]:
    reasons = {address: policy.judge(target.host, address) for address in addresses}
    for address, reason in reasons.items():
        open_by = "open by the settings" if policy.opens(target.host, address) else "public"
        yield Check("address", reason is None, reason or f"{address} is {open_by}")
    # One bad answer refuses all: who may answer with it may also answer with it alone.
    if not any(reasons.values()):
        public = not all(policy.opens(target.host, address) for address in addresses)
        yield from _last_checks(target, policy, addresses, public=public, tenant=tenant)


def _last_checks(
    target: Target, policy: AddressPolicy, addresses: tuple[str, ...], *, public: bool, tenant: Tenant | None
) -> Iterator[Check]:
    reason = policy.judge_port(target.port, public=public)
    yield Check("port", reason is None, reason or f"port {target.port} may be called")
    if tenant is None:
        return
    if tenant.network is None:
        yield Check("business", True, f"nothing is said of whom business {tenant.name} may call")
        return
    reason = judge_network(tenant.network, tenant.name, target.host, target.port, addresses)
    yield Check("business", reason is None, reason or f"business {tenant.name} may call it")
