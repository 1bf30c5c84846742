"""Explains what became of a record on Kafka: by the state of the join, its side outputs, and the topics themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from faust.types import TP

from streamapp.explain.answer import Answer, Near, Place, Question, because, moment, readable
from streamapp.explain.evidence import Match, Witness, search
from streamapp.joins import Candidate, Explanation, Reason, Side, SideOutput, Verdict
from streamapp.joins.explanation import NAMED, Window, outside
from streamapp.kafka.log_reader import Log, LogError, Logged, MissingError
from streamapp.kafka.partitioners import PARTITIONERS

if TYPE_CHECKING:
    from streamapp.kafka.record import Record
    from streamapp.runtime.inputs import Input

__all__ = ["Explained", "Explainer"]

#: Seconds that an answer may take.
PATIENCE: Final = 5.0
#: Seconds between two looks whether a batch is done.
LOOK_AGAIN: Final = 0.01
#: Records of the other topic that are looked at on either side of the window.
AROUND: Final = 10_000
#: Records in the window that are asked about, too, if the record did not join them.
ASKED_TOO: Final = 3
#: The arguments of `JoinDeclaration.to` that name the topics of the side outputs.
NAMES: Final = dict.fromkeys(Reason, "rejected") | {
    reason: reason.value for reason in (Reason.UNMATCHED, Reason.LATE, Reason.EXPIRED, Reason.NULL_KEY)
}
#: What needs no look at the other side's topic.
SETTLED: Final = {Verdict.UNREAD, Verdict.PENDING, Verdict.APPLIED, Verdict.NULL_KEY, Verdict.NULL_VALUE}


class Explained(Protocol):
    """A join that can be asked about records."""

    name: str
    #: The topics that it reads.
    inputs: Sequence[Input]
    #: What has its state: the worker that has a partition of it can be asked.
    table: Any

    @property
    def witnesses(self) -> Sequence[Witness]:
        """The topics that tell what became of records."""
        ...

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        ...


class Explainer:
    """Answers questions about the records of a join.

    Args:
        app: that the join is a part of.
        join: that is asked.
    """

    def __init__(self, app: Any, join: Explained) -> None:
        self._app = app
        self.join = join
        self._topics = {each.source: each.topic for each in join.inputs}
        #: The sources that each topic is taken for.
        self.sources = {topic: [s for s, of in self._topics.items() if of == topic] for topic in self._topics.values()}
        self._asking = asyncio.Lock()

    async def explain(self, tp: TP, offset: int) -> list[Answer]:
        """Say what became of a record; of a topic that is joined with itself, of each side.

        Raises:
            LogError: if the broker does not answer; a `MissingError` if there is no such record.
            KeyError: if this worker does not have the partition.
        """
        async with self._asking:  # to read topics takes time from the joins
            loop = asyncio.get_running_loop()
            return await asyncio.to_thread(self._explain, tp, offset, loop)

    async def find(self, topic: str, key: bytes, timestamp: int) -> Place:
        """Find the first record of a key and a time (ms) in a topic.

        Raises:
            LogError: if the broker does not answer; a `MissingError` if there is none.
        """
        async with self._asking:
            return await asyncio.to_thread(self._find, topic, key, timestamp)

    def _find(self, topic: str, key: bytes, timestamp: int) -> Place:
        wanted, complete = f"record of key {readable(key)!r} and {moment(timestamp)}", True
        with Log(self._app.settings, PATIENCE) as log:
            count = log.partitions(topic)
            for partition in _placed(key, count):
                scan = log.since(TP(topic, partition), timestamp)
                for record in scan:
                    if record.timestamp == timestamp and record.key == key:
                        return Place.of(record.tp, record.offset)
                complete = complete and scan.complete
        if complete:
            raise MissingError(f"there is no {wanted} in {topic}")
        raise MissingError(f"no {wanted} was found in {topic} within {PATIENCE:g} s: give partition and offset")

    def _explain(self, tp: TP, offset: int, loop: asyncio.AbstractEventLoop) -> list[Answer]:
        with Log(self._app.settings, PATIENCE) as log:
            record = log.record(tp, offset)
            tps = [TP(topic, tp.partition) for topic in self.sources]
            committed = log.committed(tps)
            looked = asyncio.run_coroutine_threadsafe(self._look(tps, record, committed), loop)
            try:
                positions, explanations = looked.result(timeout=PATIENCE)
            except TimeoutError:
                looked.cancel()
                raise LogError(f"the worker did not come to what it has begun within {PATIENCE:g} s") from None
            inquiries = [
                _Inquiry(self.join, self._topics, log, record, source, positions) for source in self.sources[tp.topic]
            ]
            return [one.answer(explained) for one, explained in zip(inquiries, explanations, strict=True)]

    async def _look(
        self, tps: Sequence[TP], record: Logged, committed: Mapping[TP, int]
    ) -> tuple[Mapping[TP, int], list[Explanation]]:
        """Look at the state, in the loop that changes it, and at how far the topics are read."""
        lanes = self._app.consumer.alignment.lanes
        finished = {tp: lanes[tp].offsets.committable or 0 for tp in tps if tp in lanes}
        positions = {tp: max(committed.get(tp, 0), finished.get(tp, 0)) for tp in tps}
        explained = [self.join.explain(record.tp.partition, source, record) for source in self.sources[record.tp.topic]]
        if record.offset >= positions[record.tp]:
            explained = [Explanation(verdict=Verdict.UNREAD, clock=one.clock) for one in explained]
        if any(one.reasons for one in explained):
            await self._write_down(tps)
        return positions, explained

    async def _write_down(self, tps: Sequence[TP]) -> None:
        """Have all that the state knows written down: the state is ahead of the side outputs, by the batch in work.

        Raises:
            KeyError: if the partitions are taken away meanwhile.
        """
        alignment = self._app.consumer.alignment
        lanes = [alignment.lanes[tp] for tp in tps if tp in alignment.lanes]
        begun = [(lane, lane.offsets.committable) for lane in lanes if lane.working]
        while any(lane.offsets.committable == at for lane, at in begun):  # noqa: ASYNC110 - it is asked seldom
            await asyncio.sleep(LOOK_AGAIN)
        await self._app.consumer.commit()
        if self._app.consumer.alignment is not alignment or self._app.rebalancing:
            raise KeyError(tps[0].partition)


class _Inquiry:
    """The search for what became of a record as one side of a join.

    Args:
        join: that is asked.
        topics: of each source.
        log: reads topics.
        record: that is asked about.
        source: that it is from.
        positions: up to where the join has read its topics.
    """

    def __init__(
        self,
        join: Explained,
        topics: Mapping[int, str],
        log: Log,
        record: Logged,
        source: int,
        positions: Mapping[TP, int],
    ) -> None:
        self._join = join
        self._topics = topics
        self._log = log
        self._record = record
        self._source = source
        self._positions = positions
        #: What tells of the record, or else what is missing for that.
        self._told: Logged | None = None
        self._gap = ""

    def answer(self, explained: Explanation) -> Answer:
        """Complete what the state says."""
        record, position = self._record, self._positions[self._record.tp]
        explanation, joined = self._settled(explained)
        near = joined or [self._candidate(one) for one in explanation.candidates]
        if explanation.window is not None and explanation.verdict not in SETTLED and not _inside(near):
            near = self._around(explanation.window, explanation.verdict) or near
        return Answer(
            join=self._join.name,
            side=_side(self._source, len(self._topics)),
            record=Question.of(record),
            verdict=explanation.verdict,
            because=because(explanation, record.timestamp, near, max(0, record.offset - position), self._gap),
            clock=explanation.clock,
            position=position,
            window=explanation.window,
            until=explanation.until,
            grace_ms=explanation.grace,
            late_by_ms=explanation.late_by,
            candidates=near,
            told=None if self._told is None else Place.of(self._told.tp, self._told.offset),
        )

    def _settled(self, explained: Explanation) -> tuple[Explanation, list[Near]]:
        """Settle what the state leaves open; gives also what the record joined, if a result names it."""
        if not explained.reasons and explained.verdict is not Verdict.OVER:
            return explained, []
        asked = [one for one in self._join.witnesses if one.reasons & {*explained.reasons, Reason.REFUSED}]
        evidence, self._told, complete = search(self._log, asked, self._record)
        if isinstance(evidence, SideOutput):
            # A record may be in the dead letters whatever its state was.
            explained = msgspec.structs.replace(explained, reasons=explained.reasons | {evidence.reason})
            return explained.settled(evidence), []
        missing = explained.reasons.difference(*(one.reasons for one in asked))
        if complete and not missing:
            return explained.settled(None), []
        if explained.verdict is Verdict.OVER:
            results = [one for one in self._join.witnesses if not one.reasons]
            evidence, self._told, _ = search(self._log, results, self._record)
            if isinstance(evidence, Match):
                joined = [near for place in evidence.partners if (near := self._partner(*place)) is not None]
                return msgspec.structs.replace(explained, verdict=Verdict.MATCHED), joined
        self._gap = _gap(missing)
        return explained, []

    def _partner(self, tp: TP, offset: int) -> Near | None:
        try:
            return self._near(self._log.record(tp, offset), 0)
        except LogError:  # retention has deleted it
            return None

    def _candidate(self, one: Candidate) -> Near:
        """Tell of a candidate that the state has."""
        topic, partition = self._topics.get(one.source), self._record.tp.partition
        place = None if topic is None or one.offset < 0 else Place(topic, partition, one.offset)
        note = "the row that is there now" if one.source == self._source else ""
        return Near(place, readable(one.key), one.timestamp, one.outside_by, note)

    def _near(self, found: Logged, outside_by: int) -> Near:
        """Tell of a record that was read."""
        note = "it has no value" if found.value is None else ""
        if found.tp.partition != self._record.tp.partition:
            note = "in another partition, where it is not looked for"
        elif found.tp in self._positions and found.offset >= self._positions[found.tp]:
            note = "not read yet"
        return Near(Place.of(found.tp, found.offset), readable(found.key), found.timestamp, outside_by, note)

    def _around(self, window: Window, verdict: Verdict) -> list[Near]:
        """Read the other topics around the window, for the records of the key that were closest."""
        topics, here = {topic for source, topic in self._topics.items() if source != self._source}, self._record.tp
        found = [record for topic in topics for record in self._scan(TP(topic, here.partition), window)]
        if not found:  # other producers may have put it elsewhere
            elsewhere = {
                TP(topic, number)
                for topic in topics
                for number in _placed(self._record.key, self._log.partitions(topic))
            } - {*self._positions}
            found = [record for tp in elsewhere for record in self._scan(tp, window)]
        found.sort(key=lambda one: (abs(outside(one.timestamp, window)), abs(one.timestamp - self._record.timestamp)))
        near, asked = [], 0
        for record in found[:NAMED]:
            one = self._near(record, outside(record.timestamp, window))
            if not (one.outside_by_ms or one.note or verdict is Verdict.MATCHED) and asked < ASKED_TOO:
                one, asked = msgspec.structs.replace(one, note=self._fate(record)), asked + 1
            near.append(one)
        return near

    def _scan(self, tp: TP, window: Window) -> Iterator[Logged]:
        """Give the records of the key from some before the window up to some after it."""
        first, last = (self._record.timestamp if end is None else end for end in window)
        after = 0
        for record in self._log.since(tp, first, back=AROUND):
            after += record.timestamp > last
            if after > AROUND:
                return
            if record.key == self._record.key:
                yield record

    def _fate(self, record: Logged) -> str:
        """Say what became of a record that could have matched, if something tells."""
        evidence, _, _ = search(self._log, [one for one in self._join.witnesses if one.reasons], record)
        if not isinstance(evidence, SideOutput):
            return ""
        late = f" by {evidence.late_by:,} ms" if evidence.reason is Reason.LATE else ""
        return f"itself {evidence.reason.replace('_', ' ')}{late}"


def _placed(key: bytes | None, count: int) -> set[int]:
    """Give the partitions, of so many, in which the partitioners in use put a key."""
    return set() if key is None or not count else {place(key, count) for place in PARTITIONERS.values()}


def _inside(near: Iterable[Near]) -> bool:
    return any(not one.outside_by_ms for one in near)


def _side(source: int, count: int) -> str:
    if count > len(Side):
        return f"table {source}" if source else "stream"
    return Side(source).name.lower()


def _gap(missing: Iterable[Reason]) -> str:
    names = sorted({NAMES[reason] for reason in missing})
    if not names:
        return f"the topics of the side outputs could not be searched to their ends within {PATIENCE:g} s"
    return f"a side output would; name a topic for it ({', '.join(f'{name}=' for name in names)})"
