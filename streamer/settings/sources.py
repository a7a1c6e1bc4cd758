"""Where values come from: a file, the environment, flags; each as dotted keys, nothing validated yet."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamer.settings.fields import ENV_PREFIX, fields, sections
from streamer.settings.secrets import ENV_SECRET

#: Names the settings file, and is no setting itself.
ENV_FILE = "STREAMER_CONFIG"
DEFAULT_FILES = ("streamer.toml", "streamer.yaml", "streamer.yml")


@dataclass(slots=True)
class Found:
    """What one or more sources gave: values and their sources by key, and what could not be understood."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, key: str, value: Any, source: str) -> None:
        """Set a value; a later source wins."""
        self.values[key] = value
        self.sources[key] = source


def find_file(named: Path | None, environ: Mapping[str, str], directory: Path, found: Found) -> Path | None:
    """Return the settings file: the one named, by flag or environment, else the one in the directory."""
    chosen = named or (Path(environ[ENV_FILE]) if environ.get(ENV_FILE) else None)
    if chosen is not None:
        return chosen
    present = [directory / name for name in DEFAULT_FILES if (directory / name).is_file()]
    if len(present) > 1:
        names = " and ".join(path.name for path in present)
        found.problems.append(f"{names} are both here: keep one, or name one with --config")
    return present[0] if present else None


def read_file(path: Path, found: Found) -> None:
    """Take the values of a TOML or YAML file."""
    try:
        tree = _parse(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        found.problems.append(f"{path}: cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        found.problems.append(f"{path}: is not UTF-8 text")
    except ValueError as error:
        found.problems.append(f"{path}: {error}")
    else:
        _flatten(tree, "", str(path), found)


def read_environment(environ: Mapping[str, str], found: Found) -> None:
    """Take the variables that begin with STREAMER_; one that is no setting is a typo, and refused."""
    by_name = {setting.env: setting.key for setting in fields().values()}
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name == ENV_FILE or name.startswith(ENV_SECRET):
            continue
        if name in by_name:
            found.take(by_name[name], _from_text(environ[name]), f"env {name}")
        else:
            found.problems.append(f"{name} (environment) is no setting{_nearest(name, [*by_name, ENV_FILE])}")


def read_flags(flags: Mapping[str, Any], found: Found) -> None:
    """Take the flags that were given; None is a flag that was not."""
    for key, value in flags.items():
        if value is None:
            continue
        if key in fields():
            found.take(key, value, "flag")
        else:
            found.problems.append(f"{key} (flag) is no setting{_nearest(key, fields())}")


def _parse(path: Path, text: str) -> Mapping[str, Any]:
    # The messages name the place and never quote the text: it may hold a password.
    if path.suffix == ".toml":
        return tomllib.loads(text)
    if path.suffix not in {".yaml", ".yml"}:
        raise ValueError("a settings file ends in .toml, .yaml or .yml")
    try:
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"is no YAML: {error.problem}{place}") from None
    except yaml.YAMLError:
        raise ValueError("is no YAML") from None
    if tree is not None and not isinstance(tree, dict):
        raise ValueError("holds no settings: it must be a mapping of sections")
    return tree or {}


def _flatten(tree: Mapping[Any, Any], prefix: str, source: str, found: Found) -> None:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key in sections():
            if isinstance(value, dict):
                _flatten(value, f"{key}.", source, found)
            elif value is not None:
                found.problems.append(f"{key} ({source}) is a section, not a value")
        elif key in fields():
            found.take(key, "" if value is None else value, source)
        else:
            near = _nearest(key, [*fields(), *sections()])
            found.problems.append(f"{key} ({source}) is no setting{near}")


def _from_text(text: str) -> Any:
    """Read a variable: a JSON list is a list, all else is for the setting's own type to read."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _nearest(name: str, known: Any) -> str:
    """Return the known name that was probably meant, also one in another section."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:
        leaf = name.rpartition(".")[2].rpartition("__")[2]
        close = [other for other in known if other.endswith(("." + leaf, "__" + leaf))][:1]
    return f"; did you mean {close[0]}?" if close else "; `streamer config show` lists all"
