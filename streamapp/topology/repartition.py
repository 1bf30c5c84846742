"""Repartitioning: the records of a topic once more, in an internal topic, under another key."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Final

from streamapp.formats.serde import Read
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.joins import Refused
from streamapp.kafka.record import Envelope, Record, Result
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.copies import mark, without_mark
from streamapp.runtime.cycles import Flow
from streamapp.runtime.output import Output
from streamapp.runtime.topics import Rekeyed
from streamapp.runtime.work import Rejected
from streamapp.settings import Guarantee
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import meant_for
from streamapp.topology.tombstones import Tombstones
from streamapp.worker.growth import REPARTITIONING

__all__ = ["KeyOf", "repartition"]

#: Gives the key of a record; raises `Refused`, or an `Undecodable` that says the reason, if it has none.
KeyOf = Callable[[Record], bytes | None]

#: What a name of a topic cannot have.
NO_PART: Final = re.compile(r"[^A-Za-z0-9._-]")
#: Causes of a refusal that dead letters have a word for.
CAUSES: Final = frozenset(Reason)


def repartition(
    app: JoiningApp,
    source: str,
    name: str,
    key: KeyOf,
    *,
    after: Sequence[str] = (),
    tombstones: bool = False,
    once: bool = False,
    read: Read | None = None,
) -> str:
    """Have an agent send the records of a topic to an internal one, to the partitions of other keys.

    Event times and headers stay as they are. What `key` refuses goes to the dead letters. The records of all partitions
    that a worker has go in the order of their event times, and whoever joins the internal topic waits for what its
    source has (`streamapp.runtime.hops`). What was written to both topics at the same time may be further behind in
    the internal one, by a hop: joins of streams need a grace that covers this.

    Args:
        app: the app.
        source: full name of the topic.
        name: what the records are keyed by: a field, say; a part of the internal topic's name.
        key: gives the key.
        after: full names of topics that are read before the internal one.
        tombstones: whether a record without a value deletes, and goes on under the key that its own key stands for
            (`Tombstones`); otherwise it goes to the dead letters.
        once: whether what is declared on the internal topic takes each record in once, although at least once some may
            be there twice: they get a header that says of which record they are (`Copies`).
        read: makes of a record of the topic one whose value is JSON; None = it is such a one. The internal topic has
            JSON.

    Returns:
        the full name of the internal topic.
    """
    topic = f"{app.settings.id}-{source}-by-{re.sub(NO_PART, '_', name)}-repartition"
    if once and app.settings.processing_guarantee is Guarantee.AT_LEAST_ONCE:
        app.declared.copied.add(topic)
    if topic in app.declared.inputs:
        return topic
    app.declared.read(source)
    app.declared.read(topic, after)
    app.declared.hops[topic] = (source,)
    app.declared.rekeyed[topic] = Rekeyed(source, key, read, tombstones)
    output = app.declared.internal[topic] = Output(app, topic)
    deleted = Tombstones(app.settings, source, name) if tombstones else None

    async def run(batches: AsyncIterable[Batch]) -> None:
        async for arrived in batches:
            batch, results = meant_for(arrived, app.joins), list[Result]()
            topic_id = app.resumption.positions.ids.get(source, "").encode() if topic in app.declared.copied else None
            for number, record in enumerate(batch):
                try:
                    if read is not None:
                        record = read.one(record)
                    found = await deletes(record) if record.value is None else key(record)
                except Refused as refused:
                    reason = Reason(refused.cause) if refused.cause in CAUSES else Reason.WRONG_TYPE
                    reject(batch, number, reason, refused)
                except Undecodable as undecodable:
                    reject(batch, number, undecodable.reason, undecodable)
                else:
                    if deleted is not None and record.value is not None:
                        deleted.learn(record.key, found)
                    tp, headers = batch.source(number), list(without_mark(record.headers))
                    if topic_id is not None:
                        headers.append(mark(tp.partition, record.offset, topic_id))
                    envelope = Envelope(found, record.timestamp, headers, record, tp)
                    results.append((envelope, record.value))
            output.send(batch, results, rekeyed=True)

    async def deletes(record: Record) -> bytes:
        if deleted is None:
            raise Undecodable(Reason.TOMBSTONE, f"it has no value, and so no {name} in it")
        return await deleted.key(record.key)

    def reject(batch: Batch, number: int, reason: Reason, error: Exception) -> None:
        rejected = Rejected(batch.source(number), batch.records[number], reason, str(error))
        app.dead_letters.reject(batch, [rejected])

    app.repartitions.append(Flow(f"the repartitioning of {source}", [source], [topic]))
    channel = app.subscription(source, schema=BatchSchema(merged=True, whole=True))
    app.agent(channel, name=f"{REPARTITIONING}{topic}")(run)
    return topic
