"""Side outputs of a join: each record that is not matched, to where the user wants it, with the reason; and counted."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from streamapp.batching.output import Envelope, Output, Result
from streamapp.joins import Reason, SideOutput
from streamapp.topology.witness import Witness, side_output

if TYPE_CHECKING:
    from streamapp.batching.batch import Batch

__all__ = ["SideCount", "SideOutputs", "by_reason"]

logger = logging.getLogger(__name__)


def by_reason(
    *,
    unmatched: Output | None = None,
    late: Output | None = None,
    expired: Output | None = None,
    null_key: Output | None = None,
    rejected: Output | None = None,
) -> dict[Reason, Output]:
    """Give the topics that are named, by the reasons for which records go there."""
    outputs = {
        Reason.UNMATCHED: unmatched,
        Reason.LATE: late,
        Reason.EXPIRED: expired,
        Reason.NULL_KEY: null_key,
        Reason.NULL_VALUE: rejected,
        Reason.SUPERSEDED: rejected,
        Reason.REFUSED: rejected,
    }
    return {reason: output for reason, output in outputs.items() if output is not None}


class SideCount(NamedTuple):
    """What side outputs are counted by."""

    topic: str
    reason: Reason


class SideOutputs:
    """Sends the side outputs of a join to topics, tells the user's callback of them, and counts them.

    In a topic, such a record has its own key, value and event time, and headers that say where it is from and why it is
    there: ``topic``, ``partition``, ``offset``, ``reason``, ``late_by_ms`` if it was late, ``detail`` if there is one.
    Its own headers follow, unless the join has kept it for a time.

    Args:
        topics: the topic of each source.
        outputs: where the records go, by reason; those of other reasons are told and counted only.
        tell: called with each of them once the work on their batch has taken effect.
    """

    def __init__(
        self,
        topics: Mapping[int, str],
        outputs: Mapping[Reason, Output],
        tell: Callable[[SideOutput], None] | None = None,
    ) -> None:
        self._topics = topics
        self._outputs = outputs
        self._tell = tell
        #: How many there were since the start.
        self.counts: Counter[SideCount] = Counter()

    @property
    def witnesses(self) -> list[Witness]:
        """The topics, as those that tell what became of records."""
        reasons: defaultdict[str, set[Reason]] = defaultdict(set)
        for reason, output in self._outputs.items():
            reasons[output.topic].add(reason)
        return [side_output(topic, found) for topic, found in reasons.items()]

    def send(self, batch: Batch, side_outputs: Sequence[SideOutput]) -> None:
        """Send the side outputs of a batch once the agent is done with it."""
        if not side_outputs:
            return
        results: defaultdict[Output, list[Result]] = defaultdict(list)
        for one in side_outputs:
            if (output := self._outputs.get(one.reason)) is not None:
                results[output].append((self._envelope(one, batch.partition), one.record.value))
        for output, records in results.items():
            output.send(batch, records, origin=self._origin)
        batch.work.effects.append(partial(self._took_effect, side_outputs))

    def _envelope(self, one: SideOutput, partition: int) -> Envelope:
        record = one.record
        headers = [
            ("topic", self._topics[one.side].encode()),
            ("partition", str(partition).encode()),
            ("offset", str(record.offset).encode()),
            ("reason", one.reason.encode()),
        ]
        if one.reason is Reason.LATE:
            headers.append(("late_by_ms", str(one.late_by).encode()))
        if one.detail:
            headers.append(("detail", one.detail.encode()))
        return Envelope(record.key, record.timestamp, [*headers, *getattr(record, "headers", ())], one)

    def _origin(self, stamped: Any) -> tuple[str, Any]:
        one: SideOutput = stamped.source
        return self._topics[one.side], one.record

    def _took_effect(self, side_outputs: Sequence[SideOutput]) -> None:
        self.counts.update(SideCount(self._topics[one.side], one.reason) for one in side_outputs)
        if self._tell is not None:
            for one in side_outputs:
                try:
                    self._tell(one)
                except Exception:
                    # The record is dealt with: that somebody could not be told of it must not undo that.
                    logger.exception("The callback for side outputs failed on %r", one)
