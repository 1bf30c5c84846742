"""The layout of a record batch (Kafka's message format v2), in bytes from its start, and its checksum."""

from __future__ import annotations

import struct
from typing import Final

import crc32c
from aiokafka.record.default_records import DefaultRecordBase

#: What stands before the records.
HEADER: Final[struct.Struct] = DefaultRecordBase.HEADER_STRUCT
LENGTH: Final = 8
#: Where what the length counts begins.
UNCOUNTED: Final[int] = DefaultRecordBase.AFTER_LEN_OFFSET
MAGIC: Final = 16
CRC: Final[int] = DefaultRecordBase.CRC_OFFSET
ATTRIBUTES: Final[int] = DefaultRecordBase.ATTRIBUTES_OFFSET
PRODUCER: Final = 43
RECORDS: Final = HEADER.size
#: In the attributes: that the records are part of a transaction.
TRANSACTIONAL: Final[int] = DefaultRecordBase.TRANSACTIONAL_MASK


def checksum(batch: bytes | bytearray | memoryview) -> int:
    """Compute the checksum of a record batch; aiokafka does so without the processor's instruction for it."""
    return crc32c.crc32c(memoryview(batch)[ATTRIBUTES:])
