"""Rounds: batches of several partitions, or for several agents, whose work is committed as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from faust.types import TP, Message

from streamapp.runtime.batch import Batch
from streamapp.runtime.work import Results, Work

__all__ = ["Finished", "Rounds"]


class Finished(NamedTuple):
    """What an agent has done with messages, and the results by the partitions that they go to."""

    messages: Sequence[Message]
    work: Work
    results: Sequence[tuple[TP, Results]]


class Rounds:
    """Keeps what some agents have done with a round, until the others are done with it, too."""

    def __init__(self) -> None:
        self._finished: dict[frozenset[TP], list[Finished]] = {}

    def complete(self, one: Finished) -> list[Finished]:
        """Return all that was done with a round, once all agents are done with it; before, nothing."""
        if not one.messages:  # due by the wall clock
            return [one]
        together = cast(Batch, one.messages[0].value).round
        finished = [*self._finished.pop(together, ()), one]
        if _complete(together, finished):
            return finished
        self._finished[together] = finished
        return []

    def clear(self) -> None:
        """Forget what was done: the partitions were taken away."""
        self._finished.clear()


def _complete(together: frozenset[TP], finished: Iterable[Finished]) -> bool:
    """Tell whether all agents are done with all messages of a round."""
    times = Counter(message for each in finished for message in each.messages)
    return {message.tp for message, count in times.items() if count == message.refcount} == together
