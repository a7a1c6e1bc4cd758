"""Packages with entry points, installed as pip leaves them: modules and metadata, in a directory of a test's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.installation import ROOT

#: Group of entry points → name → what it stands for, as ``module:Class``.
EntryPoints = Mapping[str, Mapping[str, str]]


def install(directory: Path, package: str, entries: EntryPoints, *, version: str = "1.0", **modules: str) -> None:
    """Install a package of these modules, by name, each with its text."""
    metadata = directory / f"{package.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [line for group, points in entries.items() for line in (f"[{group}]", *_assigned(points), "")]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    for name, text in modules.items():
        (directory / f"{name}.py").write_text(text)


def install_example(directory: Path, package: str) -> None:
    """Install one of the example packages, as its own project file says."""
    source = ROOT / "examples" / "extensions" / package
    project: dict[str, Any] = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    modules = {file.stem: file.read_text() for file in source.glob("*.py")}
    install(directory, project["name"], project["entry-points"], version=project["version"], **modules)


def _assigned(points: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in points.items()]
