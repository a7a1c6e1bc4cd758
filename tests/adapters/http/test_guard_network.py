"""Whom a business may call: its own rules, beside those of the installation."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.guard_network import judge_network
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request
from streamer.core.send_policy import Network
from tests.adapters.http.conftest import MakeSender
from tests.support.receiver import Receiver
from tests.support.sending import delivery_of


def verdict(network: Network, host: str, *addresses: str, port: int = 443) -> str | None:
    """Judge a call of acme's."""
    return judge_network(network, "acme", host, port, addresses)


def test_only_the_hosts_that_are_named_may_be_called() -> None:
    """By name or by what is below a name; on every port, where the pattern has none."""
    network = Network(only_hosts=("hooks.test", "*.example.com", "one.test:8443"))
    for host in ("hooks.test", "HOOKS.test.", "a.example.com", "a.b.example.com"):
        assert verdict(network, host) is None
        assert verdict(network, host, port=8080) is None
    assert verdict(network, "one.test", port=8443) is None
    for host in ("one.test", "example.com", "xhooks.test", "hooks.test.evil.test", "1.1.1.1", "[2606:4700::1]"):
        assert verdict(network, host) == f"business acme: {host} is not among its network.only_hosts"


def test_hosts_that_are_denied_are_denied_on_every_port() -> None:
    """A pattern with a port closes this port alone; the reason names the pattern."""
    network = Network(deny_hosts=("bad.test", "*.bad.test", "half.test:8080", "1.1.1.1", "[2606:4700::1]"))
    for host, port in (("bad.test", 443), ("Bad.Test.", 8080), ("a.bad.test", 1), ("half.test", 8080), ("1.1.1.1", 9)):
        assert "network.deny_hosts" in (verdict(network, host, port=port) or "")
    assert "(*.bad.test)" in (verdict(network, "a.bad.test") or "")
    assert verdict(network, "half.test", port=443) is None
    assert verdict(network, "good.test") is None
    assert "network.deny_hosts" in (verdict(network, "[2606:4700::1]") or "")


def test_every_address_is_judged_by_the_denied_networks() -> None:
    """One of several is enough, also inside an IPv6 address, however the network is written."""
    network = Network(deny_cidrs=("1.1.1.0/24", "2606:4700::/32", "::ffff:9.9.9.0/120"))
    for address in ("1.1.1.1", "::ffff:1.1.1.1", "2606:4700::1", "9.9.9.9", "::ffff:9.9.9.9"):
        assert "network.deny_cidrs" in (verdict(network, "a.test", "8.8.8.8", address) or "")
    assert verdict(network, "a.test", "8.8.8.8", "1.1.2.1", "2606:4701::1") is None
    assert verdict(network, "a.test", "") is None, "a name that a proxy resolves has no address here"


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Network(only_hosts=("elsewhere.test",)), "network.only_hosts"),
        (Network(deny_hosts=("hooks.test",)), "network.deny_hosts (hooks.test)"),
        (Network(deny_cidrs=("127.0.0.0/8",)), "network.deny_cidrs (127.0.0.0/8)"),
    ],
)
async def test_a_business_is_held_to_its_rules_and_the_others_are_not(
    make_sender: MakeSender, receiver: Receiver, network: Network, words: str
) -> None:
    """Its call is blocked with its rule named, over a connection that stands too; another's goes through."""

    async def look_up(host: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    books = [PolicyBook()]
    sender = make_sender(look_up=look_up, policies=lambda: books[0])
    of_acme = delivery_of(Request(receiver.url.replace("127.0.0.1", "hooks.test")))
    assert isinstance((await sender.send(of_acme)).end, Response)
    books[0] = PolicyBook(businesses={"acme": Policy(network=network)})
    exchange = await sender.send(of_acme)
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (ErrorType.BLOCKED, False)
    assert "business acme: " in exchange.end.message
    assert words in exchange.end.message
    assert isinstance((await sender.send(replace(of_acme, business="other"))).end, Response)
    assert len(receiver.arrivals) == 2


async def test_a_business_opens_nothing(make_sender: MakeSender, receiver: Receiver) -> None:
    """What the installation refuses stays refused for a business that names it."""
    book = PolicyBook(businesses={"acme": Policy(network=Network(only_hosts=("127.0.0.1",)))})
    sender = make_sender(AddressPolicy(), policies=lambda: book)
    exchange = await sender.send(delivery_of(Request(receiver.url)))
    assert isinstance(exchange.end, Failure)
    assert "loopback" in exchange.end.message
    assert receiver.server.accepted == 0
