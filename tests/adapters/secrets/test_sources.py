"""The places where secrets are kept: the environment, a directory, and which of them goes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.adapters.http.secrets import SecretMissing
from streamer.adapters.secrets.directory import DirectorySecrets
from streamer.adapters.secrets.environment import EnvironmentSecrets
from streamer.adapters.secrets.kept import read_first
from streamer.adapters.secrets.source import MAX_BYTES, Hidden, SecretSource, SourceUnreadable

PREFIX = "STREAMER_SECRET_"


def revealed(found: Hidden | None) -> bytes | None:
    """Return a value, or None for none."""
    return None if found is None else found.reveal()


def test_a_value_is_not_printed_by_accident() -> None:
    """Neither text nor representation of a value tells it."""
    assert f"{Hidden(b'hunter2')} {Hidden(b'hunter2')!r} {[Hidden(b'hunter2')]}" == "*** *** [***]"


@pytest.mark.parametrize("name", ["api_key", "api-key", "api.key", "API_KEY"])
def test_a_variable_is_a_secret(name: str) -> None:
    """A variable has letters, digits and underscores, and stands for every name that is written with others."""
    source = EnvironmentSecrets({"STREAMER_SECRET_API_KEY": "hunter2", "PATH": "/bin"}, PREFIX)
    assert revealed(source.read(name)) == b"hunter2"
    assert source.read("path") is None
    assert source.names() == ["api_key"]
    assert "hunter2" not in repr(source)


def test_a_file_is_a_secret(tmp_path: Path) -> None:
    """A file's content is the value, without the line end that an editor adds; a changed file is a changed value."""
    source = DirectorySecrets(tmp_path)
    (tmp_path / "api-key").write_bytes(b"hunter2\n")
    assert revealed(source.read("api-key")) == b"hunter2"
    (tmp_path / "api-key").write_bytes(b"rotated\r\n")
    assert revealed(source.read("api-key")) == b"rotated"
    (tmp_path / "api-key").unlink()
    assert source.read("api-key") is None


def test_a_projected_directory_is_read(tmp_path: Path) -> None:
    """Orchestrators put files behind links into a hidden directory that they swap."""
    (tmp_path / "..2026_01").mkdir()
    (tmp_path / "..2026_01" / "token").write_bytes(b"first")
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "token").symlink_to("..data/token")
    source = DirectorySecrets(tmp_path)
    assert (revealed(source.read("token")), source.names()) == (b"first", ["token"])


@pytest.mark.parametrize("name", ["..", ".", ".hidden", "../other", "a/b", "", "a\0b"])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    """A name is a file's in this directory, or none."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / ".hidden").write_bytes(b"x")
    (tmp_path / "other").write_bytes(b"x")
    assert DirectorySecrets(tmp_path / "inside").read(name) is None


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "is empty"), (b"\n", "is empty"), (b"x" * (MAX_BYTES + 1), "longer")]
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    """An empty file is a mistake, and a huge one no secret."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SourceUnreadable, match=what):
        DirectorySecrets(tmp_path).read("a")


def test_the_first_source_that_has_it_wins(tmp_path: Path) -> None:
    """The order of the sources decides; nobody having it is told with where was looked."""
    (tmp_path / "a").write_bytes(b"file")
    (tmp_path / "b").write_bytes(b"file")
    sources: list[SecretSource] = [EnvironmentSecrets({"STREAMER_SECRET_A": "env"}, PREFIX), DirectorySecrets(tmp_path)]
    assert [read_first(sources, name).reveal() for name in "ab"] == [b"env", b"file"]
    with pytest.raises(SecretMissing, match="is not set; looked in environment, directory "):
        read_first(sources, "c")


def test_a_broken_source_is_not_passed_over(tmp_path: Path) -> None:
    """Behind it may stand an older value, which nobody wants back."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a").write_bytes(b"old")
    with pytest.raises(SecretMissing, match="cannot be read: Is a directory"):
        read_first([DirectorySecrets(tmp_path), DirectorySecrets(tmp_path / "b")], "a")
