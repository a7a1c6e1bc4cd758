"""Values that are made per record are Structs, and those have two ways to go wrong (docs/decisions/0014)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import modules


def structs() -> Iterator[tuple[str, ast.ClassDef]]:
    """Every Struct of the product, with the place where it stands."""
    for module in modules("streamer"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and "Struct" in map(ast.unparse, node.bases):
                yield f"{module.path}::{node.name}", node


def words(node: ast.ClassDef) -> set[str]:
    """Return what the class says of itself, as in ``frozen=True``."""
    return {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in node.keywords}


def test_what_the_collector_does_not_see_is_frozen() -> None:
    """A value that can be changed can be led back to itself; without the collector that is never freed."""
    found = {place: words(node) for place, node in structs()}
    assert "streamer/core/delivery.py::Delivery" in found
    assert [place for place, said in found.items() if "gc=False" in said and "frozen=True" not in said] == []


def test_what_repr_hides_rich_does_not_show() -> None:
    """Each Struct has a ``__rich_repr__`` that tells every field, and rich asks it before repr."""
    methods = {
        place: {each.name for each in node.body if isinstance(each, ast.FunctionDef)} for place, node in structs()
    }
    hiding = {place: names for place, names in methods.items() if "__repr__" in names}
    assert "streamer/adapters/http/prepare.py::Prepared" in hiding
    assert [place for place, names in hiding.items() if "__rich_repr__" not in names] == []
