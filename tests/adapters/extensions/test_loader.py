"""Extensions are found by the names that the settings give, and one that cannot be used is named with its package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.adapters.extensions.loader import REMEMBERED, ExtensionError, Extensions, Loaded, installed, load
from streamer.extensions import GROUPS, JUDGES, LISTENERS, RETRIES, SIGNERS
from tests.support.packages import install

JUDGE = """
class Judge:
    def __init__(self, tools):
        self.tools = tools

    def judge(self, call, answer):
        return None
"""
ALL = """
class All:
    def __init__(self, tools):
        self.tools = tools

    async def headers(self, call):
        return [("X-Key", (await self.tools.secret("key")).decode())]

    def judge(self, call, answer):
        return None

    def next(self, planned):
        return None

    def told(self, events):
        pass
"""


async def no_secret(name: str) -> bytes:
    """Have no secrets."""
    raise LookupError(name)


def test_without_names_nothing_is_loaded(site: Path) -> None:
    """What is installed and not named does nothing, and may be broken."""
    install(site, "acme-hooks", {JUDGES: {"acme": "acme_hooks:Judge"}}, acme_hooks="raise SystemExit('imported')")
    assert load((), no_secret) == Extensions()


def test_what_is_not_named_is_not_imported(site: Path) -> None:
    """An extension beside those in use cannot stop the worker."""
    install(site, "acme-hooks", {JUDGES: {"acme": "acme_hooks:Judge"}}, acme_hooks="raise SystemExit('imported')")
    install(site, "shop-hooks", {JUDGES: {"shop": "shop_hooks:Judge"}}, shop_hooks=JUDGE)
    assert [judge.name for judge in load(["shop"], no_secret).judges] == ["shop"]


def test_one_name_in_every_group(site: Path) -> None:
    """All are made, one object for each; the package is told with its version."""
    install(site, "acme-all", {group: {"all": "acme_all:All"} for group in GROUPS}, version="2.1", acme_all=ALL)
    found = load(["all"], no_secret)
    made: list[Loaded[Any]] = [*found.signers, *found.judges, *found.retries, *found.listeners]
    assert [(loaded.name, loaded.package) for loaded in made] == [("all", "acme-all 2.1")] * 4
    assert len({id(loaded.object) for loaded in made}) == 4


def test_the_order_is_the_settings(site: Path) -> None:
    """Not the one in which packages are found; a name that is given twice counts once."""
    names = ["b", "c", "a"]
    install(site, "acme-judges", {JUDGES: dict.fromkeys("abc", "acme_judges:Judge")}, acme_judges=JUDGE)
    assert [judge.name for judge in load([*names, "b"], no_secret).judges] == names


async def test_the_secrets_that_an_extension_reads_are_remembered(site: Path) -> None:
    """Under its own name and no other's, the newest value of each, and no more than can be kept; nothing shows them."""
    install(site, "acme-all", {SIGNERS: {"one": "acme_all:All", "two": "acme_all:All"}}, acme_all=ALL)
    values = iter([b"first-value", b"second-value"])

    async def secret(name: str) -> bytes:
        return next(values) if name == "key" else name.encode()

    one, two = load(["one", "two"], secret).signers
    tools = one.object.tools  # type: ignore[attr-defined]
    assert [await tools.secret("key"), await tools.secret("key")] == [b"first-value", b"second-value"]
    assert (one.given, two.given) == ({"key": b"second-value"}, {})
    assert "value" not in repr(one)
    for number in range(REMEMBERED + 1):
        await tools.secret(f"key-{number}")
    assert len(one.given) < REMEMBERED


@pytest.mark.parametrize(
    ("group", "text", "what"),
    [
        (JUDGES, "import nobody_has_this", "acme:Thing cannot be imported: ModuleNotFoundError: No module named"),
        (JUDGES, "1 / 0", "acme:Thing cannot be imported: ZeroDivisionError: division by zero (acme.py, line 1)"),
        (JUDGES, "", "acme:Thing cannot be imported: AttributeError: module 'acme' has no attribute 'Thing'"),
        (JUDGES, "Thing = 7", "acme:Thing is of type int, where a class or a function is due"),
        (
            RETRIES,
            "def Thing(): ...",
            "acme:Thing cannot be called with Tools: TypeError: Thing() takes 0 positional arguments but 1 was given",
        ),
        (
            LISTENERS,
            "def Thing(tools):\n    raise KeyError('ACME_URL')",
            "acme:Thing cannot be called with Tools: KeyError: 'ACME_URL' (acme.py, line 2)",
        ),
        (SIGNERS, "def Thing(tools): ...", "the NoneType that acme:Thing returns has no method headers"),
        (RETRIES, JUDGE.replace("Judge", "Thing"), "the Thing that acme:Thing returns has no method next"),
    ],
)
def test_a_broken_extension_is_named(site: Path, group: str, text: str, what: str) -> None:
    """With its group and its package: whoever reads it knows what to repair, or to take out of the setting."""
    install(site, "acme-things", {group: {"thing": "acme:Thing"}}, acme=text)
    with pytest.raises(ExtensionError) as caught:
        load(["thing"], no_secret)
    assert str(caught.value).startswith(f"extensions: thing ({group}, acme-things 1.0): {what}")


def test_one_that_is_not_installed(site: Path) -> None:
    """Those that are installed are listed."""
    install(
        site, "acme-judges", {JUDGES: {"shop": "acme:Judge"}, RETRIES: {"late": "acme:Judge", "shop": "acme:Judge"}}
    )
    with pytest.raises(
        ExtensionError, match=r"extensions: shoop is not installed beside Streamer; installed are: .*late, shop"
    ):
        load(["shoop"], no_secret)


def test_two_packages_with_the_same_name(site: Path) -> None:
    """Which one was meant is not for us to say."""
    for package in ("acme-judges", "other-judges"):
        install(site, package, {JUDGES: {"shop": "acme:Judge"}})
    with pytest.raises(ExtensionError, match=r"shop is in streamer\.judges of acme-judges 1\.0 and other-judges 1\.0"):
        load(["shop"], no_secret)


def test_what_is_installed_is_listed_without_an_import(site: Path) -> None:
    """By group and name, with the package."""
    install(site, "acme-hooks", {JUDGES: {"b": "acme:X", "a": "acme:X"}, SIGNERS: {"z": "acme:X"}}, acme="1 / 0")
    ours = [(found.group, found.name, found.package) for found in installed() if found.package == "acme-hooks 1.0"]
    assert ours == [
        (SIGNERS, "z", "acme-hooks 1.0"),
        (JUDGES, "a", "acme-hooks 1.0"),
        (JUDGES, "b", "acme-hooks 1.0"),
    ]
