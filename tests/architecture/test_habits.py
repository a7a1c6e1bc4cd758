"""How tests are written here: a sentence first, no mocks, no sleeps."""

from __future__ import annotations

import ast

from tests.architecture.source import modules

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep"}
# Helpers that wait for a condition with a deadline look again after a pause; nobody else does.
MAY_SLEEP = "tests/support/"


def test_every_test_opens_with_a_sentence() -> None:
    """Each test function has a docstring, whose first line is a sentence."""
    silent = [
        f"{module.path}::{function.name}"
        for module in modules("tests")
        for function in module.functions()
        if function.name.startswith("test_")
        and not (ast.get_docstring(function) or "").partition("\n")[0].rstrip().endswith((".", "?", "!"))
    ]
    assert silent == []


def test_no_mocks() -> None:
    """No test imports a mock library, and none patches code: the in-memory adapters stand in."""
    mocks = [
        f"{module.path}: {name}"
        for module in modules("tests")
        for name in module.imports()
        if name.split(".")[0] in {"mock", "pytest_mock"} or name.startswith("unittest.mock")
    ]
    patches = [
        f"{module.path}:{line}"
        for module in modules("tests")
        for name, line in module.attributes()
        if name in {"monkeypatch.setattr", "monkeypatch.setitem", "mocker.patch"}
    ]
    assert mocks + patches == []


def test_no_sleeps() -> None:
    """A test waits for a signal or a condition; `asyncio.sleep(0)`, which only yields, is free."""
    sleeps = [
        f"{module.path}:{node.lineno}"
        for module in modules("tests")
        if not module.path.startswith(MAY_SLEEP)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS
        if not (len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert sleeps == []
