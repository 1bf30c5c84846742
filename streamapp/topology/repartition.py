"""Repartitioning: the records of a topic once more, in an internal topic, under another key."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Any

from streamapp.batching.batch import Batch, BatchSchema
from streamapp.batching.dead_letters import Reason, Rejected
from streamapp.batching.output import Envelope, Output, Result
from streamapp.growth import REPARTITIONING
from streamapp.joins import Record, Refused

__all__ = ["repartition"]


def repartition(app: Any, source: str, name: str, key: Callable[[Record], bytes | None]) -> str:
    """Have an agent send the records of a topic to an internal one, to the partitions of other keys.

    Event times and headers stay as they are. A record without a value, which cannot be asked for its key, and one that
    `key` refuses go to the dead letters. What was written to both topics at the same time may be further behind in the
    internal one, by a hop: joins of streams need a grace that covers this.

    Args:
        app: the app.
        source: full name of the topic.
        name: what the records are keyed by; a part of the internal topic's name.
        key: gives the key, or raises `Refused`.

    Returns:
        the full name of the internal topic.
    """
    topic = f"{app.settings.id}-{source}-by-{name}-repartition"
    if topic in app.inputs:
        return topic
    app.inputs[topic] = ()
    output = Output(app, topic)
    app.internal.append(output)

    async def run(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            results: list[Result] = []
            for record in batch:
                if record.value is None:
                    rejected = Rejected(batch.tp, record, Reason.TOMBSTONE, "it has no value, and so no key in it")
                    app.dead_letters.reject(batch, [rejected])
                    continue
                try:
                    envelope = Envelope(key(record), record.timestamp, list(record.headers), record)
                except Refused as refused:
                    app.dead_letters.reject(batch, [Rejected(batch.tp, record, Reason.WRONG_TYPE, str(refused))])
                else:
                    results.append((envelope, record.value))
            output.send(batch, results, rekeyed=True)

    app.agent(app.topic(source, schema=BatchSchema()), name=f"{REPARTITIONING}{topic}")(run)
    return topic
