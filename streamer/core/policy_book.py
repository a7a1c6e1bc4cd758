"""Every policy in force at one moment, and the answer to what holds for a lane, a business or a task.

Must not know where policies are written, nor the time. Invariant: a book never changes; what it remembers is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streamer.core.domain_name import wildcards_of
from streamer.core.policy import BusinessLimits, Fill, LaneLimits, Policy, SharedLimit
from streamer.core.policy_merge import Source, fill_of, lane_limits, says_how, says_values, send_policy_of
from streamer.core.rate import usual_burst
from streamer.core.send_policy import SecretScope, SendPolicy

#: So many lanes are remembered; all are forgotten together when there are more.
REMEMBERED = 131_072
NOTHING_FILLED = Fill()
#: How a task is sent where nobody says anything.
PLAINLY = SendPolicy()

_SILENT = Policy()
_NONE: Mapping[str, Policy] = MappingProxyType({})
_USUAL_BUSINESS = BusinessLimits()
_NO_LIMITS: tuple[SharedLimit, ...] = ()

#: The names of the records that say something about a lane, the most specific first.
Chain = tuple[str, ...]


class PolicyBook:
    """What the records on ``config`` and the settings say together.

    ``settings`` are the installation's own defaults, which the record ``default`` goes before. ``partitions`` bound a
    lane's shards.
    """

    __slots__ = (
        "_chains",
        "_exact_only",
        "_fills",
        "_has_values",
        "_how",
        "_limits",
        "_says_how",
        "_shared",
        "_weights",
        "businesses",
        "capped",
        "defaults",
        "domains",
        "partitions",
        "policies",
        "rate_keys",
        "secrets",
        "settings",
    )

    def __init__(
        self,
        defaults: Policy = _SILENT,
        domains: Mapping[str, Policy] = _NONE,
        businesses: Mapping[str, Policy] = _NONE,
        policies: Mapping[str, Policy] = _NONE,
        rate_keys: Mapping[str, Policy] = _NONE,
        secrets: Mapping[str, Policy] = _NONE,
        *,
        settings: Policy = _SILENT,
        partitions: int = 1_000,
    ) -> None:
        self.defaults = defaults
        self.domains = MappingProxyType(dict(domains))
        self.businesses = MappingProxyType(dict(businesses))
        self.policies = MappingProxyType(dict(policies))
        self.rate_keys = MappingProxyType(dict(rate_keys))
        self.secrets = MappingProxyType(dict(secrets))
        self.settings = settings
        self.partitions = partitions
        everything = (defaults, settings, *domains.values(), *businesses.values(), *policies.values())
        self._has_values = any(map(says_values, everything))
        #: Whether any cap holds across lanes; none does, usually.
        self.capped = any(policy.concurrency is not None for policy in (*businesses.values(), *policies.values()))
        self._says_how = any(map(says_how, everything))
        self._how: dict[tuple[Chain, str | None, str | None], SendPolicy] = {}
        self._exact_only = not any(name.startswith("*") for name in domains)
        self._chains: dict[str, Chain] = {}
        self._limits: dict[Chain, LaneLimits] = {}
        self._fills: dict[tuple[Chain, str | None, str | None], Fill] = {}
        self._weights = {name: _business_limits(policy) for name, policy in businesses.items()}
        self._shared = {
            **_shared_limits("business", businesses),
            **_shared_limits("policy", policies),
            **_shared_limits("rate_key", rate_keys),
        }

    def lane(self, lane_key: str) -> LaneLimits:
        """Return what holds for a lane, for each shard of it where there are several."""
        chain = self._chain(lane_key)
        limits = self._limits.get(chain)
        if limits is None:
            limits = self._limits[chain] = lane_limits(self.of_lane(chain), self.partitions)
        return limits

    def business(self, name: str) -> BusinessLimits:
        """Return a business's share of the turns within a lane, and its cap over all lanes."""
        return self._weights.get(name, _USUAL_BUSINESS)

    def caps(self, business: str, policy: str | None) -> tuple[tuple[str, int], ...]:
        """Return the caps on calls at once that a task shares with tasks for other domains, by key."""
        found = []
        if (about := self.businesses.get(business)) is not None and about.concurrency is not None:
            found.append((f"business:{business}", about.concurrency))
        if policy and (about := self.policies.get(policy)) is not None and about.concurrency is not None:
            found.append((f"policy:{policy}", about.concurrency))
        return tuple(found)

    def shared(self, business: str, policy: str | None, rate_key: str | None) -> tuple[SharedLimit, ...]:
        """Return the rates that a task shares with tasks for other domains: none, usually."""
        if not self._shared:
            return _NO_LIMITS
        keys = (("business", business), ("policy", policy), ("rate_key", rate_key))
        return tuple([self._shared[key] for key in keys if key in self._shared])

    def fill(self, lane: str, business: str, policy: str | None) -> Fill:
        """Return what a request takes over where it says nothing: from its policy, business, domain, the defaults."""
        if not self._has_values:
            return NOTHING_FILLED
        key = (self._chain(lane), business if business in self.businesses else None, policy)
        fill = self._fills.get(key)
        if fill is None:
            if len(self._fills) >= REMEMBERED:
                self._fills.clear()
            fill = self._fills[key] = fill_of(self.of_task(key[0], key[1], policy))
        return fill

    def how(self, lane: str, business: str, policy: str | None) -> SendPolicy:
        """Return how a task is sent."""
        if not self._says_how:
            return PLAINLY
        key = (self._chain(lane), business if business in self.businesses else None, policy)
        how = self._how.get(key)
        if how is None:
            if len(self._how) >= REMEMBERED:
                self._how.clear()
            how = self._how[key] = send_policy_of(self.of_task(key[0], key[1], policy))
        return how

    def scope(self, secret: str) -> SecretScope | None:
        """Return which tasks may name a secret; None: none."""
        about = self.secrets.get(secret)
        return about.scope if about is not None else None

    def has_policy(self, name: str) -> bool:
        """Tell whether a policy of this name is known."""
        return name in self.policies

    def chain(self, domain: str) -> Chain:
        """Return the names of the records that say something about a domain, be it a wildcard."""
        names = [domain] if domain in self.domains else []
        if not self._exact_only:
            names += [name for name in wildcards_of(domain) if name in self.domains and name != domain]
        return tuple(names)

    def of_lane(self, chain: Chain) -> list[Source]:
        """Return who speaks about a lane, the most specific first."""
        domains = [(f"domain {name}", self.domains[name]) for name in chain]
        return [*domains, ("default", self.defaults), ("settings", self.settings)]

    def of_task(self, chain: Chain, business: str | None, policy: str | None) -> list[Source]:
        """Return who speaks about a task, the most specific first."""
        own: list[Source] = []
        if policy is not None and policy in self.policies:
            own.append((f"policy {policy}", self.policies[policy]))
        if business is not None and business in self.businesses:
            own.append((f"business {business}", self.businesses[business]))
        return [*own, *self.of_lane(chain)]

    def _chain(self, lane: str) -> Chain:
        if self._exact_only:
            return (lane,) if lane in self.domains else ()
        chain = self._chains.get(lane)
        if chain is None:
            if len(self._chains) >= REMEMBERED:
                self._chains.clear()
            chain = self._chains[lane] = self.chain(lane)
        return chain


def _business_limits(policy: Policy) -> BusinessLimits:
    return BusinessLimits(1 if policy.weight is None else policy.weight, policy.concurrency)


def _shared_limits(kind: str, policies: Mapping[str, Policy]) -> dict[tuple[str, str | None], SharedLimit]:
    limits: dict[tuple[str, str | None], SharedLimit] = {}
    for name, policy in policies.items():
        if policy.rate is not None:
            burst = usual_burst(policy.rate) if policy.burst is None else policy.burst
            limits[kind, name] = SharedLimit(f"{kind}:{name}", policy.rate, burst)
    return limits
