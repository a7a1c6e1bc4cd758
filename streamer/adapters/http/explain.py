"""Why a URL may be called or not: the very checks that a task's URL meets, one after the other, with no call made."""

from __future__ import annotations

from dataclasses import dataclass

from pyreqwest.http import Url

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.names import LookUp
from streamer.adapters.http.target import literal_address, read_target
from streamer.core.lane_key import lane_key


@dataclass(frozen=True, slots=True)
class Check:
    """One check, whether it was passed, and what was found."""

    name: str
    passed: bool
    found: str


async def explain(url: str, policy: AddressPolicy, look_up: LookUp) -> list[Check]:
    """Check a URL as intake and sender do; checks that hang on one that failed are left out."""
    try:
        lane = lane_key(url)
        parsed = Url(url)
        target = read_target(parsed)
    except ValueError as error:
        return [Check("url", False, str(error))]
    checks = [Check("url", True, f"sent as {parsed}; its domain is {lane}")]
    if (reason := policy.judge_host(target.host)) is not None:
        return [*checks, Check("host", False, reason)]
    checks.append(Check("host", True, f"{target.host} is not denied"))
    literal = literal_address(target.host)
    try:
        addresses = (literal,) if literal is not None else tuple(await look_up(target.host))
    except (OSError, UnicodeError) as error:
        return [*checks, Check("name", False, f"{target.host} does not resolve: {error}")]
    if not addresses:
        return [*checks, Check("name", False, f"{target.host} has no address")]
    reasons = {address: policy.judge(target.host, address) for address in addresses}
    for address, reason in reasons.items():
        open_by = "open by the settings" if policy.opens(target.host, address) else "public"
        checks.append(Check("address", reason is None, reason or f"{address} is {open_by}"))
    if any(reasons.values()):
        # One bad answer refuses all: who may answer with it may also answer with it alone.
        return checks
    public = not all(policy.opens(target.host, address) for address in addresses)
    reason = policy.judge_port(target.port) if public else None
    return [*checks, Check("port", reason is None, reason or f"port {target.port} may be called")]
