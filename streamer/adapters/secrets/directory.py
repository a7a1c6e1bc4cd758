"""Secrets in the files of a directory, as orchestrators mount them and rotate them."""

from __future__ import annotations

from pathlib import Path

from streamer.adapters.secrets.source import MAX_BYTES, NAME, Hidden, SourceUnreadable, checked


class DirectorySecrets:
    """One file per secret, the file's name being the secret's; links are followed, subdirectories are not searched."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"<DirectorySecrets {self._directory}>"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"directory {self._directory}"

    def read(self, name: str) -> Hidden | None:
        """Read a secret's file; a name that begins with a dot has none, so that no name leads out of the directory."""
        if name.startswith(".") or not NAME.fullmatch(name):
            return None
        path = self._directory / name
        try:
            with path.open("rb") as file:
                return checked(file.read(MAX_BYTES + 2), str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}") from None

    def names(self) -> list[str]:
        """Return the names of the files that may be secrets."""
        try:
            found = [path.name for path in self._directory.iterdir() if path.is_file()]
        except OSError as error:
            raise SourceUnreadable(f"{self._directory} cannot be read: {error.strerror or error}") from None
        return sorted(name for name in found if NAME.fullmatch(name) and not name.startswith("."))
