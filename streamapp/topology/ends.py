"""Where steps end: a topic that the records of a stream are sent to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from streamapp.formats.content import are_of_another, headers_of_result
from streamapp.formats.raw import Raw
from streamapp.functions.context import Emitted
from streamapp.functions.record import TypedRecord
from streamapp.functions.steps import Records
from streamapp.kafka.partition import TP
from streamapp.kafka.record import Envelope, Headers, Result
from streamapp.runtime.batch import Batch
from streamapp.runtime.copies import mark
from streamapp.runtime.output import Output
from streamapp.runtime.work import Origin
from streamapp.topology.sink import NO_HEADERS, json_value
from streamapp.windows.aggregate import Value

__all__ = ["End", "value_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class End:
    """Sends records to a topic.

    Args:
        output: the topic.
        rekeyed: whether they go to the partitions of their keys in any case; otherwise, as long as no step has given a
            record another key, to those that they are from.
        copied: whether they say of which record they are (`streamapp.runtime.copies`).
    """

    output: Output
    rekeyed: bool = False
    copied: bool = False

    def send(
        self,
        batch: Batch,
        records: Records,
        *,
        place: Callable[[TypedRecord[Value]], TP | None] = lambda _: None,
        origin: Origin | None = None,
        topic_id: bytes = b"",
    ) -> None:
        """Send records of a batch once the agent is done with it.

        Args:
            batch: the batch.
            records: what came of it.
            place: tells where a record is from, if not from the partition of the batch.
            origin: finds the record that a result is of, as in `Output.send`.
            topic_id: the id of the topic that copies are of.
        """
        envelopes = [_envelope(record, place(record)) for record in records]
        if self.copied:
            for record, envelope in zip(records, envelopes, strict=True):
                partition = batch.partition if envelope.tp is None else envelope.tp.partition
                envelope.headers = [*envelope.headers, mark(partition, record.offset, topic_id)]
        raw = self.output.serde is not None and isinstance(self.output.serde.value, Raw)
        results: list[Result] = [(one, value_of(record, raw)) for one, record in zip(envelopes, records, strict=True)]
        rekeyed = self.rekeyed or any(record.key != _home(record.origin) for record in records)
        self.output.send(batch, results, rekeyed=rekeyed, origin=origin)


def value_of(record: TypedRecord[Value], raw: bool = False) -> bytes | None:
    """Return the value of a record as it is sent: as it came if no step has made it, else as JSON.

    Bytes that a step has made are JSON, but where a topic has `raw` ones.
    """
    value = record.value
    if record.encoded is not None:
        return record.encoded
    return value if value is None or (type(value) is bytes and not raw) else json_value(value)


def _envelope(record: TypedRecord[Value], place: TP | None) -> Envelope:
    headers: Headers = NO_HEADERS
    if record.headers:
        made = record.encoded is None and are_of_another(record.headers)
        headers = headers_of_result(record.headers) if made else list(record.headers)
    return Envelope(record.key, record.timestamp, headers, record.origin, place)


def _home(origin: Any) -> bytes | None:
    """Return the key by which the partition has what a record is made of."""
    key: bytes | None = origin.home if type(origin) is Emitted else origin.key
    return key
