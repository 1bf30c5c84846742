"""What fuzzers call: all that is done with the bytes of a broker before an agent gets records."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

import msgspec
from aiokafka.record.util import calc_crc32c
from faust.types import TP
from fetched import Fetcher
from raw_batches import record_batch

from streamapp.joins import Row
from streamapp.kafka.unreadable import UnreadableBatchError
from streamapp.pipelines.clicks.models import Click, Profile
from streamapp.pipelines.clicks.results import joined
from streamapp.runtime.batch import Batch
from streamapp.runtime.decoding import Decoder
from streamapp.runtime.output import _envelope

__all__ = ["DECODERS", "HEAD", "check", "record_batch_of"]

DECODERS: dict[str, Decoder[Any]] = {
    "clicks": Decoder(Click, key=lambda click: click.user_id),
    "profiles": Decoder(Profile, key=lambda profile: profile.user_id, tombstones=True),
}
#: How a record batch begins: offset, length of what follows, epoch of the leader, version, checksum of what follows.
HEAD = struct.Struct(">qiibI")
#: What of it does not count for the length, and its version.
UNCOUNTED, VERSION = 12, 2


def record_batch_of(data: bytes) -> bytes:
    """Give bytes the right head, so that what they say of the records is believed."""
    return HEAD.pack(0, HEAD.size - UNCOUNTED + len(data), 0, VERSION, calc_crc32c(data)) + data


def check(fetched: bytes) -> None:
    """Check that each record of what was fetched is used, or a dead letter; or that it is told where none can be read.

    Raises:
        Exception: of any other kind than that; it would end a worker, as a bug.
    """
    try:
        records = Fetcher(TP("fuzz", 0), fetched).take()
    except UnreadableBatchError:
        return
    offsets = Counter(record.offset for record in records)
    for topic, decoder in DECODERS.items():
        good, bad = decoder.split(Batch(TP(topic, 0), records))
        assert Counter(record.offset for record in [*good, *(one.record for one in bad)]) == offsets
        for one in bad:
            letter: Any = _envelope(one)
            record_batch([(letter.key, one.record.value, letter.timestamp, letter.headers)])
        for _, value in joined([(record, Row(record.value, 0)) for record in good if record.value is not None], 1.5):
            msgspec.json.decode(value or b"")
