"""Records with what just happened, on Kafka.

enriched = transactions.enrich(ip_count=Count(over="1m", by="ip"), spent=Sum("amount", over="1h", by="account"))
enriched.to(app.sink("enriched"))

Features by the records' own key are made where the records are. If some are by other fields, each group of features is
made where its key is, of what the records ask there, and told to where the records wait for it, in their order:

    topic ──► records ───────────────────────────────────────────────► gathering ──► results
         └──► questions, by ip ──────► features by ip ──────► answers ────┘ ▲
         └──► questions, by account ─► features by account ─► answers ──────┘

A question and an answer say of which partition and offset they are (`streamapp.runtime.copies`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from streamapp.formats.format import FormatDeclaration
from streamapp.joins import SideOutput
from streamapp.kafka.record import Result, Stamped
from streamapp.runtime.batch import Batch
from streamapp.runtime.inputs import Input
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import marks_of, with_marks
from streamapp.topology.declaration import SinkLike
from streamapp.topology.features import BY_KEY, Features, Members, with_members
from streamapp.topology.gathering import EnrichmentDeclaration, enrichment, gathering
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.sink import Sink, stamped
from streamapp.windows.enrichment import Featured
from streamapp.windows.gathering import Gathered

__all__ = ["EnrichedStream"]


@dataclasses.dataclass(eq=False)
class EnrichmentSink(Sink[Featured | Gathered]):
    """Sends records with their features to a topic."""

    #: Makes members of the values of features; None = they are made already.
    members: Members | None = None

    def send(self, batch: Batch, results: Sequence[Featured | Gathered]) -> None:
        """Send results of a batch once the agent is done with it."""
        records: list[Result] = []
        marks = marks_of(results)
        for result, members in zip(results, self._told(results), strict=True):
            record = result.record
            # One without headers needs none of its own, either.
            stamp = stamped(result) if getattr(record, "headers", True) else cast(Stamped, record)
            if marks:
                stamp = with_marks(stamp, marks.get(id(result), ()))
            records.append((stamp, with_members(record, members)))
        self.output.send(batch, records, origin=self._origin)

    def _told(self, results: Sequence[Featured | Gathered]) -> list[bytes]:
        if (members := self.members) is None:
            return [cast(Gathered, result).features for result in results]
        return members.of_all(cast(Featured, result).values for result in results)


@dataclasses.dataclass(frozen=True)
class EnrichedStream:
    """The records of a topic with features; `to` says where they go, and makes them a part of the app."""

    app: JoiningApp
    input: Input
    groups: Mapping[str, Features]
    grace: int
    name: str

    def to(
        self,
        output: SinkLike,
        *,
        late: SinkLike | None = None,
        null_key: SinkLike | None = None,
        rejected: SinkLike | None = None,
        tell: Callable[[SideOutput], None] | None = None,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
    ) -> JoinProcessor[Any]:
        """Send each record with its features to a topic, in the order in which they came.

        A result is the record, with its key, event time and headers; to its value, a JSON object, the features are
        added as fields.

        Args:
            output: the topic: its name without the prefix, a declared topic, or a sink; the others likewise. Without a
                name of its own the enrichment has the topic's.
            late: takes, once more, the records that were late for some of their features, which are null.
            null_key: those without a key, if there are features by it.
            rejected: those without a value, or that do not have what the features take; they count nowhere. Of those
                that cannot be used and for which no topic is named, all go to the dead letters.
            tell: called with each of these records, wherever it goes.
            format, key_format: what values and keys are written as; None = as the topic declares, else JSON and text.

        Raises:
            JoinError: if there is an enrichment, a join or a table of this name already.
        """
        sink = self.app.sink(output, format=format, key_format=key_format)
        name = self.name or sink.topic.removeprefix(self.app.settings.topic_prefix)
        sides = {"partly_late": late, "null_key": null_key, "rejected": rejected}
        outputs = by_reason({side: self.app.sink(topic) for side, topic in sides.items() if topic is not None})
        if set(self.groups) == {BY_KEY}:
            features = self.groups[BY_KEY]
            join = enrichment(features, self.grace, features)
            processor = EnrichmentDeclaration(self.app, name, join, [self.input]).processor(outputs, tell)
            made: Members | None = Members(list(features))
        else:
            gathered = gathering(self.app, name, self.input, self.groups, self.grace)
            processor, made = gathered.processor(outputs, tell), None
        processor.into(EnrichmentSink(sink, topics={0: self.input.topic}, members=made))
        return processor
