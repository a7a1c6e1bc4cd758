"""Packages have empty `__init__` files, modules say what they are for, and no file names a registry."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.source import ROOT, modules

# In two halves, so that this file does not name what it forbids.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "repo1." + "maven.org",
    "repo.maven." + "apache.org",
    "registry." + "npmjs.org",
    "static." + "crates.io",
    "proxy." + "golang.org",
]
TEXT_SUFFIXES = {
    ".py",
    ".toml",
    ".txt",
    ".md",
    ".yml",
    ".yaml",
    ".json",
    ".cfg",
    ".ini",
    ".sh",
    ".js",
    ".mjs",
    ".go",
    ".rs",
    ".java",
    ".html",
    "",
}
OWN_DIRECTORIES = [".ci", "bench", "docs", "examples", "schemas", "streamer", "tests", "tools"]


def project_files() -> list[Path]:
    """The text files that are the project's own: those at the root and in its directories."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for name in OWN_DIRECTORIES:
        files += [path for path in (ROOT / name).rglob("*") if path.is_file()]
    return [path for path in files if path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts]


def test_package_files_are_empty() -> None:
    """Only the package's own `__init__` has content: re-exports are how import cycles begin."""
    full = {
        module.path
        for folder in ("streamer", "tests", "tools", "bench")
        for module in modules(folder)
        if module.path.endswith("__init__.py") and module.text and module.path != "streamer/__init__.py"
    }
    assert full == set()


def test_every_module_says_what_it_is_for() -> None:
    """Each file of the product opens with a docstring."""
    silent = {module.path for module in modules("streamer") if module.text and ast.get_docstring(module.tree) is None}
    assert silent == set()


def test_no_file_names_a_registry() -> None:
    """A lock file or script that names a registry breaks behind a mirror."""
    named = {
        f"{path.relative_to(ROOT)}: {host}"
        for path in project_files()
        for host in REGISTRIES
        if host in path.read_text(encoding="utf-8", errors="replace")
    }
    assert named == set()
