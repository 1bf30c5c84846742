"""Side outputs of a join: each record that is not matched, to where the user wants it, with the reason; and counted."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from faust.types import TP

from streamapp.explain.evidence import EvidenceTopic, side_output
from streamapp.formats.serde import came
from streamapp.formats.undecodable import Reason as Letter
from streamapp.joins import Reason, SideOutput
from streamapp.joins import Record as JoinRecord
from streamapp.joins.corrections import JOIN
from streamapp.kafka.record import Envelope, Record, Result, Stamped
from streamapp.rate_limit import RateLimit
from streamapp.runtime.copies import without_mark
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.samples import Sample, Samples, newest_of_each
from streamapp.runtime.work import Rejected
from streamapp.topology.join_watch import CAUSES, Kind

if TYPE_CHECKING:
    from streamapp.runtime.batch import Batch
    from streamapp.topology.join_watch import JoinWatch

__all__ = ["SideCount", "SideOutputs", "by_reason"]

logger = logging.getLogger(__name__)

#: The dead letters' words for reasons; a refusal has the word of its cause, if it has one.
LETTERS: Final = {
    Reason.NULL_KEY: Letter.NULL_KEY,
    Reason.NULL_VALUE: Letter.TOMBSTONE,
    Reason.EXPIRED: Letter.EXPIRED,
}
#: Seconds between two log lines on late records that are in no topic.
LATE_EVERY_S: Final = 60.0
#: What a dead letter says where the join has not said more.
ERRORS: Final = {
    Reason.NULL_KEY: "the record has no key, or none to look up with",
    Reason.NULL_VALUE: "the record has no value, and is of a stream",
    Reason.EXPIRED: "the update is older than the history of its table",
}
#: The reasons that have no topic of their own, but go with what is rejected.
REJECTED: Final = dict.fromkeys((Reason.NULL_VALUE, Reason.SUPERSEDED, Reason.REFUSED), "rejected")


def by_reason(outputs: Mapping[str, Output | None]) -> dict[Reason, Output]:
    """Return the topics that are named (unmatched, late, …), by the reasons for which records go there."""
    found = {reason: outputs.get(REJECTED.get(reason, reason.value)) for reason in Reason}
    return {reason: output for reason, output in found.items() if output is not None}


class SideCount(NamedTuple):
    """What side outputs are counted by."""

    topic: str
    reason: Reason


@dataclasses.dataclass(eq=False)
class SideOutputs:
    """Sends the side outputs of a join to topics, tells the user's callback of them, and counts them.

    In a topic, such a record has its own key, value and event time, and headers that say where it is from and why it is
    there: ``topic``, ``partition``, ``offset``, ``reason``, ``late_by_ms`` if it was late or partly late, ``detail`` if
    there is one, ``streamapp-join``. Its own headers follow, unless the join has kept it for a time.

    Those that cannot be joined go to the dead letters if no topic is named for their reason. An update that is only
    older than the row that it would update (``superseded``) is counted, as late and unmatched records are, and as those
    that are partly late, which count in other windows.
    """

    _dead_letters: DeadLetters
    #: What messages call the join, and the topic of each source.
    _title: str
    _topics: Mapping[int, str]
    #: Where the records go, by reason.
    _outputs: Mapping[Reason, Output]
    #: Counts what comes to nothing.
    _watch: JoinWatch
    #: Called with each of them once the work on their batch has taken effect.
    _tell: Callable[[SideOutput], None] | None = None
    #: How many there were since the start.
    counts: Counter[SideCount] = dataclasses.field(default_factory=Counter)
    samples: Samples = dataclasses.field(default_factory=Samples)
    _logged: RateLimit = dataclasses.field(default_factory=lambda: RateLimit(LATE_EVERY_S))

    @property
    def outputs(self) -> list[Output]:
        """The topics that are named."""
        return list(dict.fromkeys(self._outputs.values()))

    @property
    def evidence(self) -> list[EvidenceTopic]:
        """The topics, as evidence of what became of records."""
        reasons: defaultdict[str, set[Reason]] = defaultdict(set)
        for reason, output in self._outputs.items():
            reasons[output.topic].add(reason)
        return [side_output(topic, found) for topic, found in reasons.items()]

    def send(self, batch: Batch, side_outputs: Sequence[SideOutput]) -> None:
        """Send the side outputs of a batch once the agent is done with it."""
        if not side_outputs:
            return
        #: By topic, and whether they go as they came: those that cannot be used may not be what they should be.
        results: defaultdict[tuple[Output, bool], list[Result]] = defaultdict(list)
        #: By their places: a record that is joined with others of its topic may be rejected as each side.
        letters: dict[tuple[str, int], Rejected] = {}
        for one in side_outputs:
            if (output := self._outputs.get(one.reason)) is not None:
                record = came(one.record) if one.rejected else one.record
                results[output, one.rejected].append((self._envelope(one, record, batch.partition), record.value))
            elif one.rejected and one.reason is not Reason.SUPERSEDED:
                # What is of no record, such as a timer, has a place of its own.
                place = one.record.offset if one.record.offset >= 0 else -1 - len(letters)
                letters[self._topics[one.side], place] = self._letter(one, batch.partition)
        for (output, rejected), records in results.items():
            if rejected:
                output.send_as_they_came(batch, records, self._origin)
            else:
                output.send(batch, records, origin=self._origin)
        if letters:
            self._dead_letters.reject(batch, letters.values())
        batch.work.effects.append(partial(self._took_effect, batch.partition, side_outputs))

    def _letter(self, one: SideOutput, partition: int) -> Rejected:
        reason = LETTERS.get(one.reason)
        if reason is None:
            reason = Letter(one.cause) if one.cause in CAUSES else Letter.REFUSED
        error = one.detail or ERRORS.get(one.reason, "")
        return Rejected(TP(self._topics[one.side], partition), one.record, reason, error, one.traceback, self._title)

    def _sample(self, partition: int, one: SideOutput) -> Sample:
        detail = f"late by {one.late_by:,} ms" if one.late_by else one.detail
        return Sample.of(TP(self._topics[one.side], partition), one.record, one.reason, detail)

    def _envelope(self, one: SideOutput, record: JoinRecord, partition: int) -> Envelope:
        headers = [
            ("topic", self._topics[one.side].encode()),
            ("partition", str(partition).encode()),
            ("offset", str(record.offset).encode()),
            ("reason", one.reason.encode()),
        ]
        if one.reason in {Reason.LATE, Reason.PARTLY_LATE}:
            headers.append(("late_by_ms", str(one.late_by).encode()))
        if one.detail:
            headers.append(("detail", one.detail.encode()))
        headers.append((JOIN, self._title.encode()))
        return Envelope(record.key, record.timestamp, [*headers, *without_mark(getattr(record, "headers", ()))], one)

    def _origin(self, stamped: Stamped) -> tuple[str, Record]:
        one: SideOutput = cast(Envelope, stamped).source
        return self._topics[one.side], cast(Record, one.record)

    def _took_effect(self, partition: int, side_outputs: Sequence[SideOutput]) -> None:
        kinds = list(map(Kind.of, side_outputs))
        counts, last = Counter(kinds), dict(zip(kinds, side_outputs, strict=True))
        self.samples.add(self._sample(partition, one) for one in newest_of_each(last, kinds, side_outputs))
        for kind, count in counts.items():
            self._watch.count(partition, kind, count, last[kind])
            about = SideCount(self._topics[kind.side], kind.reason)
            self.counts[about] += count
            if about.reason is Reason.LATE and Reason.LATE not in self._outputs and self._logged.due(about):
                logger.warning(
                    "The %s: %d records of %s were late so far, the last one by %d ms; they go to a topic only if one "
                    "is named for them (late=, --late)",
                    self._title,
                    self.counts[about],
                    about.topic,
                    last[kind].late_by,
                )
        if self._tell is not None:
            for one in side_outputs:
                try:
                    self._tell(one)
                except Exception:
                    # The record is dealt with: that somebody could not be told of it must not undo that.
                    logger.exception("The callback for side outputs failed on %r", one)
