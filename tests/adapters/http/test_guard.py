"""The guard: what is public, what is not, and what an operator can open."""

from __future__ import annotations

import pytest

from streamer.adapters.http.guard import AddressPolicy, judge_address
from streamer.adapters.http.guard_table import IPV4_DENIED, IPV6_DENIED, IPV6_GLOBAL, METADATA_NAMES, Denied

PUBLIC = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"]
PUBLIC += ["172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"]
PUBLIC += ["168.63.129.15", "2606:4700::1111", "2a00:1450::1", "2001:200::1", "2003::1", "::ffff:8.8.8.8"]
NOT_PUBLIC = ["127.0.0.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "255.255.255.255", "::", "::1"]
NOT_PUBLIC += ["::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1"]
NOT_PUBLIC += ["64:ff9b::7f00:1", "64:ff9b:1::1", "fd00:ec2::254", "ff02::1", "5f00::1", "100::1", "4000::1"]
NOT_PUBLIC += ["2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "2620:4f:8000::1", "::127.0.0.1"]
UNREADABLE = ["", "localhost", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3.4.5", "[::1]", "1.1.1.1 "]


@pytest.mark.parametrize("row", [*IPV4_DENIED, *IPV6_DENIED], ids=lambda row: str(row.network))
def test_both_ends_of_every_denied_network_are_refused(row: Denied) -> None:
    """First and last address of each row are refused with the row's words, also inside an IPv6 address."""
    for address in (str(row.network[0]), str(row.network[-1])):
        assert row.what in (judge_address(address) or "")
        if row.network.version == 4:
            assert row.what in (judge_address(f"::ffff:{address}") or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    """The neighbours of the denied networks are public, and are not refused."""
    assert judge_address(address) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_are_refused(address: str) -> None:
    """Whatever leads inside is refused, however it is wrapped."""
    assert "not public" in (judge_address(address) or "")


@pytest.mark.parametrize("address", UNREADABLE)
def test_what_cannot_be_read_is_refused(address: str) -> None:
    """The guard fails closed: four plain numbers or plain IPv6, nothing else."""
    assert "no IP address" in (judge_address(address) or "")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "::1", "fd00::1"])
def test_allow_private_opens_private_networks(address: str) -> None:
    """An operator who calls services of his own opens private networks with one word."""
    assert AddressPolicy().judge("h", address) is not None
    assert AddressPolicy(allow_private=True).judge("h", address) is None


@pytest.mark.parametrize("address", ["169.254.169.254", "168.63.129.16", "fe80::1", "224.0.0.1", "0.0.0.0"])
def test_allow_private_never_opens_metadata(address: str) -> None:
    """Link-local addresses hold a cloud's credentials: private or not, they stay shut."""
    assert AddressPolicy(allow_private=True).judge("h", address) is not None


def test_allow_cidrs_opens_one_network_only() -> None:
    """A network that is named is open, its neighbour is not."""
    policy = AddressPolicy(allow_cidrs=("10.1.0.0/16", "fd00:1::/32"))
    assert policy.judge("h", "10.1.2.3") is None
    assert policy.judge("h", "::ffff:10.1.2.3") is None
    assert policy.judge("h", "fd00:1::1") is None
    assert policy.judge("h", "10.2.2.3") is not None


def test_allow_hosts_opens_one_name_only() -> None:
    """A host that is named may be anywhere; its sub-domains and its address by itself may not."""
    policy = AddressPolicy(allow_hosts=frozenset({"billing.internal"}))
    assert policy.judge("Billing.Internal.", "10.1.2.3") is None
    assert policy.judge("x.billing.internal", "10.1.2.3") is not None
    assert policy.judge("10.1.2.3", "10.1.2.3") is not None


def test_denied_ipv6_rows_inside_the_global_net_are_needed() -> None:
    """Every row inside 2000::/3 takes something away from it; the two outside are there to be opened."""
    outside = [row for row in IPV6_DENIED if not IPV6_GLOBAL.overlaps(row.network)]
    assert [str(row.network) for row in outside] == ["::1/128", "fc00::/7"]
    assert all(row.private for row in outside)


def test_pattern_names_every_host_below_a_name_and_not_the_name() -> None:
    """``*.example.com`` is every name below example.com, however deep, in any case and with a last dot."""
    policy = AddressPolicy(deny_hosts=frozenset({"*.example.com", "one.test"}))
    for host in ("a.example.com", "a.b.EXAMPLE.com.", "one.test", "One.Test."):
        assert "http.deny_hosts" in (policy.judge_host(host) or "")
    for host in ("example.com", "badexample.com", "example.com.evil.test", "x.one.test", "com"):
        assert policy.judge_host(host) is None


def test_denied_network_is_never_opened() -> None:
    """Neither a host's name nor a network that is allowed opens what is denied, also inside an IPv6 address."""
    policy = AddressPolicy(
        allow_private=True,
        allow_hosts=frozenset({"db.test"}),
        allow_cidrs=("10.0.0.0/8",),
        deny_cidrs=("10.1.0.0/16",),
    )
    for address in ("10.1.2.3", "::ffff:10.1.2.3"):
        assert "http.deny_cidrs (10.1.0.0/16)" in (policy.judge("db.test", address) or "")
    assert policy.judge("db.test", "10.2.0.1") is None


def test_port_counts_for_public_addresses_only() -> None:
    """An operator who opens a network means all of it; the world is open on the ports of HTTP."""
    policy = AddressPolicy(allow_cidrs=("10.0.0.0/8",), allow_hosts=frozenset({"db.test"}))
    assert policy.judge_port(443) is None
    assert "http.ports" in (policy.judge_port(6379) or "")
    assert [policy.opens("h", address) for address in ("10.0.0.1", "::ffff:10.0.0.1", "1.1.1.1")] == [True, True, False]
    assert policy.opens("db.test", "1.1.1.1")


def test_ports_of_our_own_servers_are_shut_however_open_the_address_is() -> None:
    """A task never speaks to the Kafka and Redis that carry it, unless ``ports`` names them."""
    policy = AddressPolicy(own_ports=frozenset({9092, 6379, 443}))
    assert "our own Kafka or Redis" in (policy.judge_port(9092, public=False) or "")
    assert "http.ports" in (policy.judge_port(9092) or "")
    assert policy.judge_port(443, public=False) is None
    assert policy.judge_port(9093, public=False) is None
    named = AddressPolicy(own_ports=frozenset({9092}), ports=frozenset({9092}))
    assert named.judge_port(9092, public=False) is None


@pytest.mark.parametrize("name", sorted(METADATA_NAMES))
def test_metadata_services_are_denied_by_name(name: str) -> None:
    """In any case, with a last dot, wherever the name leads; an operator who runs one names it."""
    for host in (name, name.upper(), f"{name}."):
        assert "metadata service" in (AddressPolicy(allow_private=True).judge_host(host) or "")
        assert AddressPolicy(allow_hosts=frozenset({name})).judge_host(host) is None
    assert AddressPolicy().judge_host(f"x-{name}") is None


def test_a_network_may_be_written_as_mapped_ipv6() -> None:
    """It means the IPv4 network inside, and closes it for addresses in both forms."""
    policy = AddressPolicy(deny_cidrs=("::ffff:1.1.1.0/120",))
    for address in ("1.1.1.1", "::ffff:1.1.1.1"):
        assert "http.deny_cidrs" in (policy.judge("h", address) or "")
    assert policy.judge("h", "1.1.2.1") is None
