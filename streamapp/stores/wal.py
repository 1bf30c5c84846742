"""RocksDB's write-ahead logs, looked through before RocksDB reads them: at noise in a log it may loop for ever.

After the failure of a machine the end of a log may be anything. What is before the first damaged record is kept; the
rest of the log is cut off, and with it go the logs after it. It is what RocksDB does itself in its recovery mode
``kPointInTimeRecovery``, if it gets that far. The format is that of RocksDB's wiki, "Write Ahead Log File Format".
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
from pathlib import Path
from typing import Final

import crc32c

__all__ = ["cut_damage"]

logger = logging.getLogger(__name__)

#: Bytes of a block; a record of a log does not go beyond its block, larger ones are written in parts.
BLOCK_BYTES: Final = 32 << 10
#: Checksum, length and type of a record; the checksum is that of type and content, and is masked.
HEADER: Final = struct.Struct("<IHB")
MASK: Final = 0xA282EAD8
#: A whole record, and the first, a middle and the last part of one: all that is written with our options.
TYPES: Final = frozenset({1, 2, 3, 4})


def cut_damage(database: Path) -> None:
    """Cut off what is damaged in a database's logs, unless another process has it open; an OSError of the disk's."""
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context((database / "LOCK").open("r+b"))
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # there is no database yet, or it is for RocksDB to say what is wrong with it
            return
        logs = sorted(database.glob("[0-9]*.log"), key=lambda log: int(log.stem))
        for number, log in enumerate(logs):
            data = log.read_bytes()
            sound = _sound(data)
            if sound < len(data):
                logger.warning("%s is damaged at byte %d: what was written after it is read again", log, sound)
                os.truncate(log, sound)
                for later in logs[number + 1 :]:
                    later.unlink()
                return


def _sound(data: bytes) -> int:
    """Return how many bytes of a log come before the first record that is damaged."""
    at = 0
    while at < len(data):
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < HEADER.size:  # filled up with zeros
            at += left
            continue
        if at + HEADER.size > len(data):
            return at
        checksum, length, kind = HEADER.unpack_from(data, at)
        end = at + HEADER.size + length
        if kind not in TYPES or HEADER.size + length > left or end > len(data):
            return at
        found = crc32c.crc32c(data[at + HEADER.size - 1 : end])
        if checksum != ((found >> 15 | found << 17) + MASK) & 0xFFFFFFFF:
            return at
        at = end
    return len(data)
