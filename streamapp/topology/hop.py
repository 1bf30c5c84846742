"""A hop by hand: the internal topic by which an agent hands its records on to another one, by other keys."""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from streamapp.formats.content import are_of_another, headers_of_result
from streamapp.joins import Record
from streamapp.kafka.record import Envelope, Headers, Result
from streamapp.kafka.record import Record as Sent
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.copies import mark, without_mark
from streamapp.runtime.cycles import Flow
from streamapp.runtime.output import Output
from streamapp.settings import Guarantee
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import unaddressed
from streamapp.topology.processor import JoinError
from streamapp.topology.repartition import NO_PART

if TYPE_CHECKING:
    from streamapp.topology.topic import Topic

__all__ = ["Hop", "handed_on", "name_of"]


def name_of(app_id: str, source: str, by: str) -> str:
    """Return the name of the internal topic that has what is made of a topic, by other keys."""
    return f"{app_id}-{source}-by-{re.sub(NO_PART, '_', by)}-repartition"


def handed_on(headers: Sequence[tuple[str, bytes]]) -> Headers:
    """Return the headers with which what is made of a record goes to another agent, or out."""
    own = list(unaddressed(without_mark(headers)))  # what reads it is another one
    return headers_of_result(own) if are_of_another(own) else own


@dataclasses.dataclass(eq=False)
class Hop:
    """An internal topic that one agent writes and another one reads; made by `App.hop`."""

    app: JoiningApp
    #: That the first agent reads, and what the records are keyed by in the internal one.
    source: str
    by: str

    def __post_init__(self) -> None:
        app, declared = self.app, self.app.declared
        name = name_of(app.settings.id, self.source, self.by)
        if name in declared.internal:
            raise JoinError(f"{self.source} is written once more by {self.by} already: give the hop another name")
        self._output = declared.internal[name] = Output(app, name)
        declared.hops[name] = (self.source,)
        #: Whether records say of which ones they are: at least once, some may be there twice.
        self._copied = app.settings.processing_guarantee is Guarantee.AT_LEAST_ONCE
        if self._copied:
            declared.copied.add(name)
        app.repartitions.append(Flow(f"what is made of {self.source} by {self.by}", [self.source], [name]))
        #: For the agent that reads it.
        declared.read(name)
        schema = BatchSchema(merged=True, whole=True, ordered=False)
        self.topic: Topic = cast("Topic", app.subscription(name, schema=schema))

    def send(self, batch: Batch, records: Iterable[tuple[bytes, Record, bytes]]) -> None:
        """Send new keys and values of a batch's records, at most one of each, once the agent is done with it.

        They go in the order of the batch. Event times and headers stay as they are. A record whose new one the broker
        refuses goes to the dead letters.
        """
        topic_id = self.app.resumption.positions.ids.get(batch.topic, "").encode() if self._copied else b""
        places = dict(zip(map(id, batch), range(len(batch)), strict=True))
        results: list[tuple[int, Result]] = []
        for key, record, value in records:
            number = places[id(record)]
            tp, headers = batch.source(number), list[tuple[str, bytes]]()
            if came := cast(Sent, record).headers:
                headers += handed_on(came)
            if self._copied:
                headers.append(mark(tp.partition, record.offset, topic_id))
            results.append((number, (Envelope(key, record.timestamp, headers, record, tp), value)))
        results.sort(key=operator.itemgetter(0))
        self._output.send(batch, [result for _, result in results], rekeyed=True)
