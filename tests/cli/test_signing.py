"""`streamer domains sign` and `businesses sign`: a rotation adds the new key first and ends the older ones."""

from __future__ import annotations

import time

import pytest

from streamer.wire.instants import format_instant, parse_instant
from tests.cli.conftest import Cli

pytestmark = pytest.mark.broker

HOUR_MS = 3_600_000


def test_a_rotation_overlaps(cli: Cli) -> None:
    """The new key stands first and has no end; the older one signs for the overlap; a third time it goes on so."""
    first = cli("domains", "sign", "api.example.com", "--secret", "hooks-1", "--json").objects[0]
    assert first["record"] == {"signing": [{"secret": "hooks-1"}], "sign": True}
    before_ms = time.time_ns() // 1_000_000
    second = cli("domains", "sign", "api.example.com", "--secret", "hooks-2", "--json").objects[0]
    new, old = second["record"]["signing"]
    assert (new, old["secret"]) == ({"secret": "hooks-2"}, "hooks-1")
    assert 23.9 * HOUR_MS < parse_instant(old["until"]) - before_ms < 24.1 * HOUR_MS
    assert second["notes"] == [f"hooks-1 signs until {old['until']}, beside hooks-2"]
    third = cli("domains", "sign", "api.example.com", "--secret", "hooks-3", "--overlap", "1h", "--json").objects[0]
    assert [key["secret"] for key in third["record"]["signing"]] == ["hooks-3", "hooks-2", "hooks-1"]
    ends = [parse_instant(key["until"]) for key in third["record"]["signing"][1:]]
    assert all(end < before_ms + 1.1 * HOUR_MS for end in ends)
    shown = cli("domains", "show", "api.example.com").stdout
    assert [line.split()[2] for line in shown.splitlines() if line.startswith("signing key")] == [
        "hooks-3",
        "hooks-2",
        "hooks-1",
    ]
    assert f"hooks-1 until {format_instant(ends[1])}" in shown


def test_no_overlap_ends_the_older_keys_at_once(cli: Cli) -> None:
    """A key that is known to others signs nothing more; the same key again changes nothing."""
    cli("domains", "sign", "a.test", "--secret", "old")
    run = cli("domains", "sign", "a.test", "--secret", "new", "--overlap", "0s", "--json").objects[0]
    assert run["record"]["signing"] == [{"secret": "new"}]
    assert run["notes"] == ["old signs no more"]
    again = cli("domains", "sign", "a.test", "--secret", "new", "--json").objects[0]
    assert (again["at"], again["notes"]) == (None, ["nothing changed"])


def test_a_business_has_keys_for_domains_of_its_own(cli: Cli) -> None:
    """A new key ends those for the same domain alone; what stands of signing is left alone when asked."""
    cli("businesses", "sign", "acme", "--secret", "all", "--keys-only")
    cli("businesses", "sign", "acme", "--secret", "own", "--domain", "*.Example.com", "--until", "2099-01-01T00:00:00Z")
    run = cli("businesses", "sign", "acme", "--secret", "own-2", "--domain", "*.example.com", "--json").objects[0]
    keys = run["record"]["signing"]
    assert [(key["secret"], key.get("domain")) for key in keys] == [
        ("own-2", "*.example.com"),
        ("own", "*.example.com"),
        ("all", None),
    ]
    assert "until" not in keys[2]
    assert run["record"]["sign"] is True
    lines = cli("domains", "show", "other.test", "--business", "acme", "--json").objects[0]["values"]
    assert [(line["value"], line["origin"]) for line in lines if line["field"] == "signing key"] == [
        ("all", "business acme")
    ]
    only = cli("businesses", "sign", "other", "--secret", "all", "--keys-only", "--json").objects[0]
    assert "sign" not in only["record"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("a.test", "--secret", "a b"), "the name of a secret"),
        (("a.test", "--secret", "a", "--overlap", "day"), "--overlap: 'day' is no duration"),
        (("a.test", "--secret", "a", "--until", "2020-01-01T00:00:00Z"), "is past"),
        (("a.test", "--secret", "a", "--until", "soon"), "--until must be an RFC 3339 instant"),
        (("*", "--secret", "a"), "signing is no field of"),
    ],
)
def test_what_is_wrong_is_refused_by_name(cli: Cli, words: tuple[str, ...], part: str) -> None:
    """Exit 2, and nothing is written."""
    run = cli("domains", "sign", *words)
    assert run.code == 2
    assert part in run.stderr.replace("\n", " ")
    assert cli("domains", "ls", "--json").objects == []
