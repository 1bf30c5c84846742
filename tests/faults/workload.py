"""What a round produces while a fault is injected, and what has to come of it."""

from __future__ import annotations

import abc
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from topics import Topics
from verification import Findings

__all__ = ["SLICE", "Workload"]

#: Seconds from a slice to the next one, and event time between them (ms).
EVERY, SLICE = 0.2, 1_000
#: Records in a slice that cannot be used.
POISON = 2


class Workload(abc.ABC):
    """Records that are produced slice by slice, and a model of what has to come of them, whatever happens meanwhile.

    Args:
        topics: to produce to.
        chance: decides which.
        records: of the topic that matters most, in each slice; None = as many as are usual.
    """

    pipeline: ClassVar[str]
    #: Where Faust finds the app.
    app: ClassVar[str] = "streamapp"
    inputs: ClassVar[Sequence[str]]
    #: Of the topics.
    partitions: ClassVar[int] = 4
    #: Topics that are there before the workers are, so that these need not make them.
    outputs: ClassVar[Sequence[str]]
    #: An input, and the tables with what was read of it: they get rows as a commit begins.
    watched: ClassVar[tuple[str, Sequence[str]]]
    usual: ClassVar[int]
    #: Forms of records that cannot be used, and where they go.
    forms: ClassVar[Sequence[bytes]]
    poisoned: ClassVar[Sequence[str]]
    keys: ClassVar[Sequence[str]]

    def __init__(self, topics: Topics, chance: random.Random, records: int | None = None) -> None:
        self.records = self.usual if records is None else records
        #: Records produced, by topic.
        self.sent = Counter[str]()
        #: Values that have to be dead letters.
        self.dead = set[bytes]()
        self._topics, self._chance = topics, chance
        #: Held while a slice is produced.
        self.turn = threading.Lock()

    def settings(self, directory: Path) -> Mapping[str, Any]:
        """Return the settings of the workers; files for them go into a directory."""
        return {"pipelines": self.pipeline}

    @abc.abstractmethod
    def begin(self) -> None:
        """Produce what has to be there first."""

    @abc.abstractmethod
    def slice(self) -> None:
        """Produce one more slice; to be called in one's `turn`."""

    @abc.abstractmethod
    def burst(self) -> None:
        """Produce much at once."""

    @abc.abstractmethod
    def finish(self) -> None:
        """Produce what tells whether the workers know all that was before."""

    @abc.abstractmethod
    def done(self) -> bool:
        """Tell whether all is done that has to be, once the inputs are committed."""

    @abc.abstractmethod
    def verify(self) -> Findings:
        """Read all that came of the inputs, and compare it with the model."""

    def produce(self, slices: int, enough: threading.Event) -> None:
        """Produce so many slices, one after the other, and more of them until it is `enough`."""
        begun = time.monotonic()
        for number in itertools.count():
            if number >= slices and enough.is_set():
                return
            time.sleep(max(0.0, begun + EVERY * number - time.monotonic()))
            with self.turn:
                self.slice()

    def poison(self, count: int = POISON) -> None:
        """Produce records that cannot be used."""
        for _ in range(count):
            value = self._chance.choice(self.forms) % len(self.dead)
            self.dead.add(value)
            self._send(self._chance.choice(self.poisoned), self._chance.choice(self.keys), value)
        self._topics.flush()

    def _send(
        self,
        topic: str,
        key: str,
        value: Mapping[str, Any] | bytes | None,
        at: int = 0,
        partition: int | None = None,
    ) -> None:
        self.sent[topic] += 1
        self._topics.send(topic, key, value, at=at, partition=partition)

    def _dead_letters(self) -> Counter[bytes]:
        return Counter(message.value() for message in self._topics.read("dead_letters"))

    def _offsets(self) -> int:
        """Return how many input records are beyond the committed offsets, or committed and never produced."""
        return sum(abs(self.sent[name] - self._topics.committed(name)) for name in self.inputs)
