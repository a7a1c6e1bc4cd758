"""The explanation of a verdict, where it is more than a corpus of URLs shows."""

from __future__ import annotations

import pytest

from streamer.adapters.http.explain import Tenant, explain
from streamer.adapters.http.guard import AddressPolicy
from streamer.core.send_policy import Network
from tests.support.libraries import PYREQWEST

URL = "https://hooks.test/x"


async def public(host: str) -> tuple[str, ...]:
    """Lead every name to two public addresses."""
    return ("93.184.215.14", "2606:2800:21f:cb07::1")


@pytest.mark.parametrize(
    ("network", "passed", "words"),
    [
        (None, True, "nothing is said of whom business acme may call"),
        (Network(only_hosts=("hooks.test",)), True, "business acme may call it"),
        (Network(only_hosts=("other.test",)), False, "network.only_hosts"),
        (Network(deny_hosts=("*.test",)), False, "network.deny_hosts (*.test)"),
        (Network(deny_cidrs=("2606:2800::/32",)), False, "network.deny_cidrs (2606:2800::/32)"),
    ],
)
async def test_a_businesss_own_rules_come_last(network: Network | None, passed: bool, words: str) -> None:
    """They are explained like the installation's, after all of these."""
    checks = await explain(URL, PYREQWEST, AddressPolicy(), public, Tenant("acme", network))
    assert [check.name for check in checks] == ["url", "host", "address", "address", "port", "business"]
    assert all(check.passed for check in checks[:-1])
    assert checks[-1].passed is passed
    assert words in checks[-1].found


async def test_with_a_proxy_names_are_not_looked_up() -> None:
    """What is judged here is told, and what is left to the proxy."""
    checks = await explain(URL, PYREQWEST, AddressPolicy(), None, Tenant("acme", Network(deny_cidrs=("0.0.0.0/0",))))
    assert [(check.name, check.passed) for check in checks] == [
        (name, True) for name in ("url", "host", "name", "port", "business")
    ]
    assert "http.proxy" in checks[2].found
    refused = await explain("https://127.0.0.1/", PYREQWEST, AddressPolicy(), None)
    assert [check.name for check in refused if not check.passed] == ["address"]
    assert not (await explain("https://hooks.test:22/", PYREQWEST, AddressPolicy(), None))[-1].passed


async def test_our_own_port_is_explained() -> None:
    """An opened network does not open the Kafka in it."""
    policy = AddressPolicy(allow_private=True, own_ports=frozenset({9092}))
    checks = await explain("http://10.0.0.1:9092/", PYREQWEST, policy, public)
    assert checks[-1].found == "port 9092 is that of our own Kafka or Redis; http.ports would have to name it"
