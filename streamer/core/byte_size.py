"""Sizes in bytes as people write them ("512MiB", "2GB") and as programs count them.

Must not know which setting a size stands in: the caller names it. Pydantic's ByteSize takes a bare number and bits too, and
writes a rounded figure; a setting that is shown must read back as what it is.
"""

from __future__ import annotations

import re

_UNIT_BYTES = {
    "GiB": 1024**3,
    "MiB": 1024**2,
    "KiB": 1024,
    "GB": 1000**3,
    "MB": 1000**2,
    "kB": 1000,
    "B": 1,
}
_BY_LOWER = {unit.lower(): size for unit, size in _UNIT_BYTES.items()}
_WRITTEN = re.compile(r"\s*([0-9]{1,16})\s*([a-z]+)\s*", re.IGNORECASE)
_ALLOWED = 'write a whole number and a unit of B, kB, MB, GB, KiB, MiB or GiB: "512MiB", "2GiB"'
#: More than any machine has, and far from where arithmetic on it could surprise anyone.
MAX_BYTES = 1024**5


def parse_byte_size(value: object) -> int:
    """Return the bytes of ``value``; raises ValueError, with what is allowed, for anything else."""
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    unit = _BY_LOWER.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"{value!r} is no size: {_ALLOWED}")
    size = int(found[1]) * unit
    if size > MAX_BYTES:
        raise ValueError(f"{value!r} is no size of at most {format_byte_size(MAX_BYTES)}")
    return size


def format_byte_size(size_bytes: int) -> str:
    """Write bytes so that ``parse_byte_size`` reads the same back: 536_870_912 is "512MiB", 0 is "0B"."""
    if size_bytes < 0:
        raise ValueError(f"{size_bytes} bytes is negative, and no size")
    for unit, size in _UNIT_BYTES.items():
        if size_bytes and not size_bytes % size:
            return f"{size_bytes // size}{unit}"
    return f"{size_bytes}B"
