"""Changes of the record that says which tasks may name a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamer.cli.config_topic import Config
from streamer.cli.console import USAGE, fail
from streamer.cli.policy_edit import Change
from streamer.core.domain_name import parse_domain


def allowed(domains: list[str], businesses: list[str], *, all_businesses: bool) -> Change:
    """Return the change that adds domains and businesses."""
    names = _parsed(domains)
    if businesses and all_businesses:
        fail("--business and --all-businesses: say one of them", code=USAGE)

    def change(_config: Config, before: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
        fields = {"domains": _union(before.get("domains"), names)}
        if not fields["domains"]:
            fail("--domain is required: no task may name the secret yet", code=USAGE)
        known = before.get("businesses")
        if businesses and before and known is None:
            notes.append("tasks of all businesses could name it until now; from now on these alone")
        if not all_businesses and (known or businesses):
            fields["businesses"] = _union(known, businesses)
            if not businesses:
                notes.append(f"for tasks of {', '.join(fields['businesses'])} alone, as before")
        return fields

    return change


def denied(domains: list[str], businesses: list[str]) -> Change:
    """Return the change that takes domains and businesses away; without any, all that was said."""
    names = _parsed(domains)

    def change(_config: Config, before: Mapping[str, Any], _notes: list[str]) -> dict[str, Any] | None:
        if not names and not businesses:
            return None
        fields = {key: list(before[key]) for key in ("domains", "businesses") if before.get(key) is not None}
        for key, flag, gone in (("domains", "--domain", names), ("businesses", "--business", businesses)):
            for name in gone:
                if name not in fields.get(key, ()):
                    there = ", ".join(fields.get(key, ())) or ("all" if key == "businesses" and before else "none")
                    fail(f"{flag} {name}: is not among those that may name it: {there}", code=USAGE)
                fields[key].remove(name)
        # Without a business all would have the use of it, which is the opposite of what was asked for.
        return fields if all(fields.values()) else None

    return change


def _parsed(domains: list[str]) -> list[str]:
    try:
        return [parse_domain(domain) for domain in domains]
    except ValueError as error:
        fail(f"--domain: {error}", code=USAGE)


def _union(known: list[str] | None, more: list[str]) -> list[str]:
    return list(dict.fromkeys([*(known or ()), *more]))
