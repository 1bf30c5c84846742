"""Records that aiokafka's reader stops at, since a header's name is not UTF-8, and record batches that none can read.

To a broker the name of a header is any bytes (KIP-82), and Java's clients replace what is not UTF-8. aiokafka's
compiled reader raises, and never comes past that record. So its record batch is read again here, in Python: slowly,
but there are hardly any. Read from aiokafka 0.14.0 (`aiokafka/record/default_records.py`,
`aiokafka/consumer/fetcher.py`: `Fetcher._proc_fetch_request`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import msgspec
from aiokafka.client import ConnectionGroup
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.util import decode_varint
from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.kafka.insides import Assignment, Client, Fetcher, PlainBatch, Request, Response
from streamapp.kafka.record import Headers, Record

__all__ = ["Unreadable", "UnreadableBatchError", "keep_bytes", "read_again"]

#: Bytes of a header's name that an error shows.
SHOWN: Final = 40


class Readable(msgspec.Struct, frozen=True, gc=False):
    """A record that was read here, like one of aiokafka's reader."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    #: The bytes of a name that are not UTF-8 stand as ``\\xff``.
    headers: Headers
    checksum: None = None


class Unreadable(Readable, frozen=True, gc=False, kw_only=True):
    """A record that no agent gets, and what is wrong with it."""

    error: str


class UnreadableBatchError(StreamappError):
    """A record batch that cannot be read, nor what follows it: the worker stops.

    Args:
        tp: the partition.
        offset: the first one that cannot be read.
        behind: the one after the record batch.
        why: what is wrong with it.
    """

    def __init__(self, tp: TP, offset: int, behind: int, why: str) -> None:
        super().__init__(
            f"{tp.topic}[{tp.partition}] cannot be read at offset {offset}: {why}; its log on the broker is damaged. "
            f"Restore it from a replica; or give up the offsets before {behind}: with all workers stopped, "
            f"kafka-consumer-groups.sh --reset-offsets --to-offset {behind} --topic {tp.topic}:{tp.partition} "
            "--group <STREAMAPP_ID> --execute (of a changelog: kafka-delete-records.sh)"
        )
        self.tp = tp
        self.offset = offset


def keep_bytes(fetcher: Fetcher) -> None:
    """Have an aiokafka fetcher keep the bytes that it fetched: its compiled reader does not give them out again."""
    process, client = fetcher._proc_fetch_request, _Client(fetcher._client)

    async def keep(assignment: Assignment, node: int, request: Request) -> bool:
        try:
            fetched = await process(assignment, node, request)
        finally:
            response = client.responses.pop(id(request), None)
        # Nothing was awaited since aiokafka made its results of the response, so they are still there.
        for topic, partitions in response.topics if response is not None else ():
            for number, *_, data in partitions:
                partition = getattr(fetcher._records.get(TP(topic, number)), "_partition_records", None)
                if partition is not None and not hasattr(partition, "data"):
                    partition.data, partition.at = data, 0
        return fetched

    fetcher._client, fetcher._proc_fetch_request = cast(Client, client), keep


class _Client:
    """An aiokafka client whose responses can be had from beside, by the `id` of their requests."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.responses: dict[int, Response] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    async def send(self, node: int, request: object, *, group: int = ConnectionGroup.DEFAULT) -> Response:
        response = await self._client.send(node, request, group=group)
        self.responses[id(request)] = response
        return response


def read_again(data: memoryview) -> list[Record]:
    """Read a record batch that aiokafka's reader cannot, by the names of headers; some records are `Unreadable`.

    Raises:
        CorruptRecordException: if more is wrong with it.
    """
    try:
        return list(_records(_DefaultRecordBatchPy(bytes(data))))
    except (IndexError, ValueError) as exc:
        raise CorruptRecordException(f"its records end where none does: {exc!r}") from None


def _records(batch: PlainBatch) -> Iterator[Record]:
    batch._maybe_uncompress()
    fields = _Fields(bytes(batch._buffer), batch._pos)
    for _ in range(batch._num_records):
        length = fields.varint()
        end = fields.at + length
        yield _record(batch, fields)
        if fields.at != end:
            raise CorruptRecordException(f"a record of {length} bytes ends {fields.at - end} bytes behind its end")


def _record(batch: PlainBatch, fields: _Fields) -> Record:
    fields.at += 1  # attributes, of which there are none
    time, offset = fields.varint(), batch.base_offset + fields.varint()
    timestamp = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else batch.first_timestamp + time
    key, value = fields.data(), fields.data()
    headers: Headers = []
    wrong: list[bytes] = []
    for _ in range(fields.varint()):
        name = fields.data() or b""
        try:
            shown = name.decode()
        except UnicodeDecodeError:
            shown = name.decode(errors="backslashreplace")
            wrong.append(name)
        headers.append((shown, cast(bytes, fields.data())))  # None if it is null, as of aiokafka's reader
    parts = (offset, timestamp, batch.timestamp_type, key, value, headers)
    if not wrong:
        return Readable(*parts)
    more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
    return Unreadable(*parts, error=f"the header name {wrong[0][:SHOWN]!r}{more} is not UTF-8")


class _Fields:
    """Reads the fields of records from their bytes, one after the other."""

    def __init__(self, buffer: bytes, at: int) -> None:
        self.buffer = buffer
        self.at = at

    def varint(self) -> int:
        value, self.at = decode_varint(self.buffer, self.at)
        return int(value)

    def data(self) -> bytes | None:
        size = self.varint()
        if size < 0:
            return None
        data = self.buffer[self.at : self.at + size]
        if len(data) < size:
            raise IndexError(f"{size} bytes at {self.at} of {len(self.buffer)}")
        self.at += size
        return data
