"""Whom a business may call is shown beside what else holds for it."""

from __future__ import annotations

from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.policy_view import explain
from streamer.core.send_policy import Network


def test_a_businesss_network_is_shown_with_its_name() -> None:
    """Each rule that it has, for its own tasks alone."""
    network = Network(only_hosts=("*.acme.test", "hooks.test"), deny_cidrs=("10.0.0.0/8",))
    book = PolicyBook(businesses={"acme": Policy(network=network), "other": Policy()})
    lines = {line.field: (line.text, line.origin) for line in explain(book, "hooks.test", "acme")}
    assert lines["network.only_hosts of business acme"] == ("*.acme.test, hooks.test", "business acme")
    assert lines["network.deny_cidrs of business acme"] == ("10.0.0.0/8", "business acme")
    assert "network.deny_hosts of business acme" not in lines
    assert not [line for line in explain(book, "hooks.test", "other") if line.field.startswith("network")]
