"""Operators by hand: windows and joins of the library inside of an agent, with their state in a table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, TypeVar

from streamapp.kafka.record import Envelope, Stamped
from streamapp.runtime.batch import Batch, Merged
from streamapp.topology.corrections import marks_of, with_marks
from streamapp.topology.declaration import Declaration
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.sink import record_of, stamped

__all__ = ["Operators", "OperatorsDeclaration"]

R = TypeVar("R")


class Operators(JoinProcessor[R]):
    """One operator for each partition of a topic, run by an agent that gets its batches; made by `App.operators`.

    The state takes each record in once, with both guarantees: what it has already, after a crash, is left out, and so
    are copies in an internal topic. The results that these had given were sent before.
    """

    noun: ClassVar[str] = "operator"

    def process(self, batch: Batch) -> Sequence[R]:
        """Return the results of a batch; of its records that are not used, the side outputs tell.

        What it changes in the state takes effect with what else the agent does with the batch: all of it, or nothing.

        Raises:
            StateError: if the state was written by another declaration, from which this one cannot go on.
        """
        number = batch.partition
        alone = Merged([batch.tp], [0] * len(batch), batch.records, batch.work)
        with self.working(alone) as results:
            # If the work on the batch is given up, the task knows more than the table has, and is of no use any more.
            batch.work.effects.append(partial(self._tasks.__setitem__, number, self._tasks.pop(number)))
        return results

    def stamped(self, batch: Batch) -> list[tuple[R, Stamped]]:
        """Return the results of a batch, as `process` does, each with what it is sent with: key, event time, headers.

        A result that a redriven record is a part of is a correction, and has its mark as the first header.

        Raises:
            StateError: likewise.
        """
        results = self.process(batch)
        marks = marks_of(results)
        return [(one, with_marks(_stamp(one, batch), marks.get(id(one), ()))) for one in results]


def _stamp(result: object, batch: Batch) -> Stamped:
    found = stamped(result)
    if not isinstance(found, Envelope):
        return found
    # If the broker refuses the result, its record goes to the dead letters; of one that is made of many, it itself.
    return Envelope(found.key, found.timestamp, found.headers, record_of(result), batch.tp)


class OperatorsDeclaration(Declaration[R]):
    """Operators for an agent, before they are a part of the app."""

    runs = Operators
