"""Damage to a record batch in the broker's own log, with a valid checksum, as no producer could send it."""

from __future__ import annotations

import struct
from pathlib import Path

from aiokafka.record.util import calc_crc32c

_HEADER = struct.Struct(">qiib")
_CRC_AT, _CRC_FROM, _PAYLOAD_AT = 17, 21, 61


def damage(data_dir: Path, topic: str, partition: int, offset: int, *, checksum: bool = True) -> None:
    """Overwrite the payload of the batch that begins at ``offset``; keep its checksum true unless told otherwise."""
    (path,) = data_dir.glob(f"*/{topic}-{partition}/00000000000000000000.log")
    content = path.read_bytes()
    at = 0
    while at < len(content):
        base, length, _, magic = _HEADER.unpack_from(content, at)
        if base == offset:
            assert magic == 2
            batch = bytearray(content[at : at + 12 + length])
            batch[_PAYLOAD_AT:] = b"\xa5" * (len(batch) - _PAYLOAD_AT)
            if checksum:
                struct.pack_into(">I", batch, _CRC_AT, calc_crc32c(bytes(batch[_CRC_FROM:])))
            # In place: the broker has the file open, and sends from it as it stands.
            with path.open("r+b") as file:
                file.seek(at)
                file.write(batch)
            return
        at += 12 + length
    raise LookupError(f"no batch begins at offset {offset} of {path}")
