"""A table whose rows are raw bytes with an event time, written a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

import faust
from faust.types import TP, CodecArg, ModelArg, TopicT

from streamapp.formats.keys import Keys
from streamapp.formats.undecodable import Undecodable
from streamapp.joins.rows import Row
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.rows import Owner, Rows
from streamapp.runtime.uncommitted import Uncommitted

__all__ = ["OrderedTable", "RowTables", "Table"]


class Partitions(Protocol):
    """The store of a table (`streamapp.worker.stores`)."""

    partitions: dict[int, Uncommitted]

    def _encode_key(self, key: object) -> bytes: ...

    def _decode_key(self, key: bytes) -> object: ...

    def _decode_value(self, value: bytes) -> object: ...


class Table(faust.Table):  # type: ignore[type-arg]
    """A Faust table of `Row`, changelog-backed, keyed by the bytes of the source topic's keys.

    The changelog's records have the row's value and its event time as their timestamp, so that the changelog
    can be read by anyone; a tombstone deletes. Keys are not encoded once more (Faust puts them into JSON), so a
    key is in the same partition of the source and the changelog, and is routed to the worker that has it.
    """

    data: Partitions  # type: ignore[assignment]
    #: Whether rows are read in the order of their keys (`Rows.scan`).
    ordered = False
    #: Full name of a topic which has as many partitions as the table; none = as the first topic of the app has.
    source: str = ""
    #: The join that it belongs to: its state, which is an ordered table, or a table that it joins with.
    owner: Owner | None = None
    #: Makes JSON of the value of a row, for who looks at it; None = it is JSON.
    shown: Callable[[bytes], bytes] | None = None
    #: What the keys of its source are, in whose partitions the rows are; None = text.
    encoded_keys: Keys | None = None
    #: Whether rows have those keys as they are in the source; otherwise their text.
    keyed_as_source: bool = False
    #: Tells why the value of a row is not what the table has, since it was written under other settings; empty = it is.
    misfit: Callable[[bytes], str] | None = None
    #: Full names of topics whose agents look rows up, as far as that is known.
    readers: frozenset[str] = frozenset()

    def _serializer_from_type(self, typ: ModelArg | None) -> CodecArg:
        return "raw"

    @property
    def changelog_topic_name(self) -> str:
        """Full name of the changelog; Faust (0.15.3) declares the topic to find it out."""
        return self._changelog_topic_name()

    def of(self, batch: Batch) -> Rows:
        """Return the rows of a batch's partition, to be read and written by the agent that has the batch.

        Raises:
            KeyError: if this worker does not own the partition.
        """
        return Rows(self.data.partitions[batch.partition], batch.work)

    def read_ahead(self, topic: TopicT) -> None:
        """Have the rows of a topic's keys read while the agent that will ask for them is busy with other batches.

        It is a topic of batches, whose agent looks up the rows of all keys of a batch at once.
        """
        cast(BatchSchema, topic.schema).ahead.append(self._begin)
        self.readers |= {*topic.topics}

    def _begin(self, batch: Batch) -> None:
        rows = self.data.partitions.get(batch.partition)
        keys = [key for key in batch.keys if key is not None]
        if rows is not None and len(keys) == len(batch):
            rows.read_ahead(keys)

    @property
    def as_text(self) -> Callable[[bytes], bytes] | None:
        """Makes text of a row's key, for who looks at it; None = it is text."""
        return self._as_text if self.keyed_as_source and self.encoded_keys is not None else None

    def _as_text(self, key: bytes) -> bytes:
        try:
            return key if self.encoded_keys is None else self.encoded_keys.text(key)
        except Undecodable:  # of an earlier format
            return key

    def partition(self, number: int) -> Uncommitted:
        """Return the rows of a partition that this worker owns; a KeyError if it does not own it."""
        return self.data.partitions[number]

    @property
    def owned(self) -> dict[int, Uncommitted]:
        """The rows of the partitions that this worker owns; those that it only follows, as a standby, are not there."""
        changelog, is_active = self.changelog_topic_name, self.app.assignor.is_active
        return {number: rows for number, rows in self.data.partitions.items() if is_active(TP(changelog, number))}

    def row(self, key: bytes) -> Row | None:
        """Return the row of a key from the partitions that this worker owns."""
        found = (partition.get(key) for partition in self.data.partitions.values())
        return next((row for row in found if row is not None), None)

    def key_forms(self, key: bytes) -> Sequence[bytes]:
        """Return the forms that a key which is given as text, or as JSON, may have in the table.

        Raises:
            Undecodable: if it cannot be a key of the source.
        """
        if self.encoded_keys is None:
            return (key,)
        forms = self.encoded_keys.forms(key)
        return forms if self.keyed_as_source else list(dict.fromkeys([key, *map(self.encoded_keys.text, forms)]))

    def source_keys(self, key: bytes) -> Sequence[bytes]:
        """Return the forms that it may have in the source, whose partitions are those of the rows, likewise."""
        return self.key_forms(key) if self.encoded_keys is None else self.encoded_keys.forms(key)

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key, for the mapping that each table of Faust's is."""
        row = self.row(key)
        return None if row is None else row.value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Refuse to write outside of the work on a batch."""
        raise TypeError(f"rows are written by `{self.name}.of(batch).write(…)`; app.Table(…) is one to be set by keys")

    def finish(self, tp: TP) -> None:
        """Take in what was written for an event of a partition, which is acknowledged now: of rows nothing is."""

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through keys and values of the partitions that this worker owns."""
        for partition in self.data.partitions.values():
            yield from ((key, row.value) for key, row in partition.items())


class OrderedTable(Table):
    """A table whose rows can be read in the order of their keys."""

    ordered = True


class RowTables:
    """The tables of rows of an app, those of agents and the states of joins (`streamapp.runtime.rows.Tables`)."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    def __iter__(self) -> Iterator[Table]:
        return iter(self.of_rows)

    @property
    def of_rows(self) -> list[Table]:
        """All of them."""
        return [table for table in self._app.tables.values() if isinstance(table, Table)]

    def partitions(self, *, active: bool = False) -> list[Uncommitted]:
        """Return the rows of the partitions that this worker has; without its standbys if only `active` ones."""
        rows = [rows for table in self for rows in table.data.partitions.values()]
        if not active:
            return rows
        actives = self._app.assignor.assigned_actives()
        return [one for one in rows if one.changelog in actives]
