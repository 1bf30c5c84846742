"""Steps without a state from topics to topics: one agent for the topics that go together, without a table."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterable, Callable, Iterator, Sequence

from faust.types import TP

from streamapp.formats.serde import came
from streamapp.functions.record import TypedRecord
from streamapp.functions.steps import Path, Reject, Tree
from streamapp.joins import Record, Refused
from streamapp.runtime.batch import Batch, BatchSchema, Merged
from streamapp.runtime.cycles import Flow
from streamapp.runtime.work import Rejected
from streamapp.settings import OnFailure
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import meant_for
from streamapp.topology.ends import End
from streamapp.topology.roots import TopicRoot
from streamapp.topology.step_sink import letter
from streamapp.windows.aggregate import Value
from streamapp.worker.growth import REPARTITIONING

__all__ = ["StepAgent"]


class StepAgent:
    """Runs steps on the records of topics, merged by event time, and sends what comes of them.

    A record at which a step fails goes to the dead letters.
    """

    def __init__(self, app: JoiningApp, topics: Sequence[str], *, whole: bool) -> None:
        self.app = app
        self.topics = tuple(topics)
        self._stop = app.settings.on_failure is OnFailure.STOP
        self._trees: dict[TopicRoot, Tree[End]] = {}
        #: Whether records of a topic come to an end in several ways, and so have to go one by one.
        self._single = False
        self._ends: set[tuple[str, End]] = set()
        self._outputs: list[str] = []
        app.declared.key_format(topics, f"what is made of {' and '.join(topics)}")
        for topic in topics:
            app.declared.read(topic)
        app.repartitions.append(Flow(f"what is made of {' and '.join(topics)}", self.topics, self._outputs))
        channel = app.subscription(*topics, schema=BatchSchema(merged=whole or len(topics) > 1, whole=whole))
        name = "-".join([*topics, "whole" if whole else "steps"])
        app.agent(channel, name=f"{REPARTITIONING}{name}")(self._run)

    def add(self, root: TopicRoot, path: Path, end: End) -> None:
        """Have records of one of the topics sent somewhere through steps."""
        self._trees.setdefault(root, Tree()).add(path, end)
        self._single = self._single or (root.topic, end) in self._ends
        self._ends.add((root.topic, end))
        if end.output.topic not in self._outputs:
            self._outputs.append(end.output.topic)

    async def _run(self, batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            self.send(batch)

    def send(self, batch: Batch) -> None:
        """Send what comes of a batch once the agent is done with it."""
        batch = meant_for(batch, self.app.joins)
        made: defaultdict[End, list[TypedRecord[Value]]] = defaultdict(list)
        rejected: dict[int, Rejected] = {}
        place = _places(batch)

        def reject(record: TypedRecord[Value], error: Exception) -> None:
            if self._stop and not isinstance(error, Refused):
                raise error
            rejected[id(record.origin)] = letter(place(record), record.origin, error)

        for topic, records in self._runs(batch):
            for root, tree in self._trees.items():
                if root.topic == topic:
                    for end, several in tree.run(list(_decoded(root, records, reject)), reject):
                        made[end] += several
        ids = self.app.resumption.positions.ids if any(end.copied for end in made) else {}
        for end, several in made.items():
            end.send(batch, several, place=place, topic_id=ids.get(self.topics[0], "").encode())
        self.app.dead_letters.reject(batch, rejected.values())

    def _runs(self, batch: Batch) -> Iterator[tuple[str, Sequence[Record]]]:
        """Go through the records that can be taken together, in their order, and the topic that they are from."""
        if self._single:
            yield from ((batch.source(number).topic, [record]) for number, record in enumerate(batch.records))
        elif len(self.topics) == 1:
            yield batch.topic, batch.records
        else:
            for tp, numbers in itertools.groupby(range(len(batch)), key=batch.source):
                yield tp.topic, [batch.records[number] for number in numbers]


def _places(batch: Batch) -> Callable[[TypedRecord[Value]], TP]:
    """Return what tells where a record of a batch is from."""
    if not isinstance(batch, Merged):
        return lambda _record: batch.tp
    places = {id(record): batch.source(number) for number, record in enumerate(batch.records)}
    return lambda record: places[id(came(record.origin))]


def _decoded(root: TopicRoot, records: Sequence[Record], reject: Reject) -> Iterator[TypedRecord[Value]]:
    for record in records:
        try:
            yield root.record(record)
        except Refused as refused:
            reject(TypedRecord(record.key, None, record.timestamp, origin=record), refused)
