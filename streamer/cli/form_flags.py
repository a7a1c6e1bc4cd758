"""Makes the body of a form from the flags of `streamer send`: fields alone, or parts where files are among them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from streamer.cli.request_flags import WrongFlag, read_pair

_FLAG, _ALLOWED = "--form-file", "NAME=PATH, with ;type=TYPE or ;filename=NAME behind it"
_MORE = re.compile(r";\s*(type|filename)=")
_FIELDS = {"type": "content_type", "filename": "filename"}


def form_of(fields: Sequence[str], files: Sequence[str], most_bytes: int) -> dict[str, Any]:
    """Return the request's field that holds the form; none without a form. Raises WrongFlag.

    ``most_bytes`` are those of all files together: what is larger is told by its file's name, and not read to its end.
    """
    pairs = [read_pair("--form", text, "=", "name=value") for text in fields]
    if files:
        return {"multipart": [{"name": name, "body": value} for name, value in pairs] + list(_parts(files, most_bytes))}
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return {"form": form} if form else {}


def _parts(files: Sequence[str], most_bytes: int) -> Iterable[dict[str, Any]]:
    left = most_bytes
    for text in files:
        name, path, more = _read(text)
        content = _content(path, left, most_bytes)
        left -= len(content)
        yield {"name": name, "filename": path.name, **more, "body_base64": b64encode(content).decode("ascii")}


def _read(text: str) -> tuple[str, Path, dict[str, str]]:
    name, rest = read_pair(_FLAG, text, "=", _ALLOWED)
    path, *more = _MORE.split(rest)
    if not path:
        raise WrongFlag(f"{_FLAG} must be {_ALLOWED}, and is {text!r}")
    return name, Path(path), {_FIELDS[key]: value.strip() for key, value in zip(more[::2], more[1::2], strict=True)}


def _content(path: Path, left: int, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            # Not asked for its size: a pipe has none.
            content = file.read(left + 1)
            size = f"{path.stat().st_size} bytes" if path.is_file() else f"more than {left} bytes"
    except OSError as error:
        raise WrongFlag(f"{_FLAG} {path}: cannot be read: {error.strerror or error}") from None
    if len(content) <= left:
        return content
    before = f", beside {most_bytes - left} of the files before it" if left < most_bytes else ""
    raise WrongFlag(f"{_FLAG} {path}: it has {size}{before}; a body may have {most_bytes} (limits.body_bytes)")
