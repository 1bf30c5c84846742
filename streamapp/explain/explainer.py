"""Explains what became of a record on Kafka: by the state of the join, its side outputs, and the topics themselves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec
from faust.types import TP

from streamapp.explain.answer import Answer, AskedRecord, NearRecord, Place, because, iso_time, key_text
from streamapp.explain.evidence import EvidenceTopic, Match, search
from streamapp.formats.keys import Keys
from streamapp.formats.registered import UnfetchedError
from streamapp.formats.registry import RegistryError
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Candidate, Explanation, Reason, Side, SideOutput, Verdict
from streamapp.joins.explanation import NAMED, Window, outside
from streamapp.kafka.log_reader import Log, LogError, Logged, MissingError
from streamapp.kafka.partitioners import partitions_of
from streamapp.kafka.record import Record
from streamapp.runtime.inputs import Input

__all__ = ["ANSWER_TIMEOUT_S", "ExplainedJoin", "Explainer"]

ANSWER_TIMEOUT_S: Final = 5.0
#: Records of the other topic that are looked at on either side of the window.
RECORDS_AROUND: Final = 10_000
#: Records in the window of which it is looked up why the record did not join them.
LOOKED_UP: Final = 3
#: The arguments of `JoinDeclaration.to` that name the topics of the side outputs.
ARGUMENTS: Final = dict.fromkeys(Reason, "rejected") | {
    reason: reason.value
    for reason in (Reason.UNMATCHED, Reason.LATE, Reason.PARTLY_LATE, Reason.EXPIRED, Reason.NULL_KEY)
}
#: What needs no look at the other side's topic.
SETTLED: Final = {Verdict.UNREAD, Verdict.PENDING, Verdict.APPLIED, Verdict.NULL_KEY, Verdict.NULL_VALUE}


class Named(Protocol):
    """What has a name."""

    name: str


class ExplainedJoin(Protocol):
    """A join as a worker runs it, to be asked about records.

    Raises:
        KeyError: by `read`, `commit` and `explain`, if this worker does not have the partition.
    """

    name: str

    @property
    def table(self) -> Named:
        """The table with its state: the worker that has a partition of it can be asked."""

    @property
    def inputs(self) -> Sequence[Input]:
        """The topics that it reads."""

    @property
    def evidence(self) -> Sequence[EvidenceTopic]:
        """The topics with what became of its records."""

    def read(self, partition: int) -> Mapping[TP, int]:
        """Return of each topic that it reads the offset after the last record that it has joined."""

    async def commit(self, partition: int) -> None:
        """Wait until all that the state has is committed, with what was sent."""

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was read joined, or did not, as far as the state has it."""


#: Of each topic the offset after the last record that was joined, and what the state has of a record, by its source.
_State: TypeAlias = tuple[Mapping[TP, int], Mapping[int, Explanation]]


class Explainer:
    """Answers questions about the records of a join; `open_log` returns what reads topics for `ANSWER_TIMEOUT_S`."""

    def __init__(self, open_log: Callable[[], Log], join: ExplainedJoin) -> None:
        self.join = join
        #: The topics that are read.
        self.topics = list(dict.fromkeys(each.topic for each in join.inputs))
        self._keys = {each.topic: each.keys for each in join.inputs if each.keys is not None}
        self._open_log = open_log
        self._asking = asyncio.Lock()

    async def explain(self, tp: TP, offset: int) -> list[Answer]:
        """Say what became of a record; of a topic that is joined with itself, of each side.

        Raises:
            LogError: if the broker does not answer; a `MissingError` if there is no such record.
            KeyError: if this worker does not have the partition.
        """
        async with self._asking:  # to read topics takes time from the joins
            return await asyncio.to_thread(self._explain, tp, offset, asyncio.get_running_loop())

    async def find(self, topic: str, key: bytes, timestamp: int) -> Place:
        """Find the first record of a key and a time (ms) in a topic.

        Args:
            topic: its full name.
            key: as text; of keys in a format their text, or their JSON.
            timestamp: the time.

        Raises:
            LogError: if the broker does not answer; a `MissingError` if there is none.
            Undecodable: if the topic can have no such key.
        """
        forms = self._keys[topic].forms(key) if topic in self._keys else (key,)
        async with self._asking:
            return await asyncio.to_thread(self._find, topic, key, forms, timestamp)

    def _find(self, topic: str, key: bytes, forms: Sequence[bytes], timestamp: int) -> Place:
        wanted, complete = f"record of key {key_text(key)!r} and {iso_time(timestamp)}", True
        with self._open_log() as log:
            count = log.partitions(topic)
            for partition in dict.fromkeys(number for form in forms for number in partitions_of(form, count)):
                scan = log.since(TP(topic, partition), timestamp)
                for record in scan:
                    if record.timestamp == timestamp and record.key in forms:
                        return Place.of(record)
                complete = complete and scan.complete
        if complete:
            raise MissingError(f"there is no {wanted} in {topic}")
        raise MissingError(f"no {wanted} was found in {topic} within {ANSWER_TIMEOUT_S:g} s: give partition and offset")

    def _explain(self, tp: TP, offset: int, loop: asyncio.AbstractEventLoop) -> list[Answer]:
        with self._open_log() as log:
            record = log.record(tp, offset)
            read, explanations = self._looked_at(record, loop)
            return [
                _Question(self.join, log, record, source, read, self._keys).answer(why)
                for source, why in explanations.items()
            ]

    def _looked_at(self, record: Logged, loop: asyncio.AbstractEventLoop) -> _State:
        """Have the state looked at, once what reads the record is there."""
        while True:
            state = asyncio.run_coroutine_threadsafe(self._state_of(record), loop)
            try:
                return state.result(timeout=ANSWER_TIMEOUT_S)
            except UnfetchedError as exc:
                _fetch(exc)
            except TimeoutError:
                state.cancel()
                raise LogError(
                    f"the worker was not done with what it has begun within {ANSWER_TIMEOUT_S:g} s"
                ) from None

    async def _state_of(self, record: Logged) -> _State:
        """Look at the state, in the loop that changes it, for each source that the record may be of."""
        partition, read = record.tp.partition, self.join.read(record.tp.partition)
        sources = [each.source for each in self.join.inputs if each.topic == record.tp.topic]
        found = {source: self.join.explain(partition, source, record) for source in sources}
        if record.offset >= read[record.tp]:
            found = {source: Explanation(verdict=Verdict.UNREAD, clock=one.clock) for source, one in found.items()}
        if any(one.reasons for one in found.values()):
            await self.join.commit(partition)  # what the state knows of may not be in a side output yet
        return read, found


def _fetch(needed: UnfetchedError) -> None:
    """Have the schema of a record fetched.

    Raises:
        LogError: if the registry does not answer, or does not have it and was not asked for it by the worker before.
    """
    try:
        if needed.fetch():
            return
    except RegistryError as exc:
        raise LogError(f"the record is of schema {needed.schema}: {exc}") from None
    if not needed.known_as_unknown:  # the worker is to ask again, and not to take it from here
        raise LogError(f"the record is of schema {needed.schema}, which the registry does not have")
    needed.refuse()


class _Settled(NamedTuple):
    """What became of a record; the record that says so, and what it joined, or what is missing to know it."""

    explanation: Explanation
    evidence: Logged | None = None
    joined: Sequence[NearRecord] = ()
    missing: str = ""


@dataclasses.dataclass(frozen=True)
class _Question:
    """What became of a record as one source of a join, which has read its topics up to some offsets."""

    join: ExplainedJoin
    log: Log
    record: Logged
    source: int
    read: Mapping[TP, int]
    #: Of topics whose keys are in a format.
    keys: Mapping[str, Keys]

    @property
    def topics(self) -> dict[int, str]:
        return {each.source: each.topic for each in self.join.inputs}

    def answer(self, by_state: Explanation) -> Answer:
        """Complete what the state says."""
        record, position = self.record, self.read[self.record.tp]
        explanation, evidence, joined, missing = self._settled(by_state)
        near = joined or [self._candidate(one) for one in explanation.candidates]
        in_window = any(not one.outside_by_ms for one in near)
        if explanation.window is not None and explanation.verdict not in SETTLED and not in_window:
            near = self._around(explanation.window, explanation.verdict) or near
        return Answer(
            join=self.join.name,
            side="stream" if explanation.windows is not None else _side(self.source, len(self.join.inputs)),
            record=AskedRecord(Place.of(record), self._text(record), record.timestamp),
            verdict=explanation.verdict,
            because=because(explanation, record.timestamp, near, max(0, record.offset - position), missing),
            clock=explanation.clock,
            position=position,
            window=explanation.window,
            windows=explanation.windows,
            until=explanation.until,
            grace_ms=explanation.grace,
            late_by_ms=explanation.late_by,
            candidates=near,
            evidence=None if evidence is None else Place.of(evidence),
        )

    def _settled(self, by_state: Explanation) -> _Settled:
        """Settle by evidence what the state leaves open."""
        if not by_state.reasons and by_state.verdict is not Verdict.OVER:
            return _Settled(by_state)
        # A record may be in the dead letters whatever its state was.
        asked = [one for one in self.join.evidence if one.reasons & {*by_state.reasons, Reason.REFUSED}]
        evidence, found, complete = search(self.log, asked, self.record)
        if isinstance(evidence, SideOutput):
            possible = msgspec.structs.replace(by_state, reasons=by_state.reasons | {evidence.reason})
            return _Settled(possible.settled(evidence), found)
        if isinstance(evidence, Match):
            return self._matched(by_state, evidence, found)
        unnamed = by_state.reasons.difference(*(one.reasons for one in asked))
        if Reason.PARTLY_LATE in unnamed:  # then it counts all the same
            unnamed -= {Reason.PARTLY_LATE}
            detail = "or in some of them, if it was late for others: a topic would tell (partly_late=)"
            by_state = msgspec.structs.replace(by_state, detail=detail)
        known = complete and not unnamed
        if known and by_state.untold is not Verdict.OVER:
            return _Settled(by_state.settled(None))
        if by_state.verdict is Verdict.OVER:
            results = [one for one in self.join.evidence if not one.reasons]
            evidence, found, _ = search(self.log, results, self.record)
            if isinstance(evidence, Match):
                return self._matched(by_state, evidence, found)
        return _Settled(by_state, missing="no result has it so far" if known else _missing(unnamed))

    def _matched(self, by_state: Explanation, match: Match, found: Logged | None) -> _Settled:
        verdict = Verdict.DECIDED if match.decision else Verdict.MATCHED
        matched = msgspec.structs.replace(by_state, verdict=verdict, detail=match.decision or by_state.detail)
        return _Settled(matched, found, list(self._partners(match)))

    def _partners(self, match: Match) -> Iterator[NearRecord]:
        for tp, offset in match.partners:
            try:
                yield self._near(self.log.record(tp, offset), 0)
            except LogError:  # retention has deleted it
                continue

    def _candidate(self, one: Candidate) -> NearRecord:
        topic = self.topics.get(one.source)
        place = None if topic is None or one.offset < 0 else Place(topic, self.record.tp.partition, one.offset)
        note = "the row that is there now" if one.source == self.source else ""
        key = self._text(self.record) if one.key == self.record.key else key_text(one.key)
        return NearRecord(place, key, one.timestamp, one.outside_by, note)

    def _near(self, found: Logged, outside_by: int) -> NearRecord:
        note = "it has no value" if found.value is None else ""
        if found.tp.partition != self.record.tp.partition:
            note = "in another partition, where it is not looked for"
        elif found.offset >= self.read.get(found.tp, found.offset + 1):
            note = "not read yet"
        return NearRecord(Place.of(found), self._text(found), found.timestamp, outside_by, note)

    def _text(self, record: Logged) -> str | None:
        """Return the key of a record as text."""
        key, keys = record.key, self.keys.get(record.tp.topic)
        if key is not None and keys is not None:
            with contextlib.suppress(Undecodable):
                key = keys.text(key)
        return key_text(key)

    def _around(self, window: Window, verdict: Verdict) -> list[NearRecord]:
        """Read the other topics around the window, for the records of the key that were closest."""
        topics = {topic for source, topic in self.topics.items() if source != self.source}
        tps = {TP(topic, self.record.tp.partition) for topic in topics}
        found = [record for tp in tps for record in self._scan(tp, window)]
        if not found and (key := self.record.key) is not None:  # other producers may have put it elsewhere
            placed = {TP(topic, at) for topic in topics for at in partitions_of(key, self.log.partitions(topic))}
            found = [record for tp in placed - tps for record in self._scan(tp, window)]
        found.sort(key=lambda one: (abs(outside(one.timestamp, window)), abs(one.timestamp - self.record.timestamp)))
        near = [self._near(record, outside(record.timestamp, window)) for record in found[:NAMED]]
        if verdict is not Verdict.MATCHED:
            unexplained = [at for at, one in enumerate(near) if not (one.outside_by_ms or one.note)]
            for at in unexplained[:LOOKED_UP]:
                near[at] = msgspec.structs.replace(near[at], note=self._why_not(found[at]))
        return near

    def _scan(self, tp: TP, window: Window) -> Iterator[Logged]:
        """Return the records of the key from some before the window up to some after it."""
        first, last = (self.record.timestamp if end is None else end for end in window)
        after = 0
        for record in self.log.since(tp, first, back=RECORDS_AROUND):
            after += record.timestamp > last
            if after > RECORDS_AROUND:
                return
            if record.key == self.record.key:
                yield record

    def _why_not(self, record: Logged) -> str:
        """Say what became of a record that could have matched, if there is evidence."""
        evidence, _, _ = search(self.log, [one for one in self.join.evidence if one.reasons], record)
        if not isinstance(evidence, SideOutput):
            return ""
        late = f" by {evidence.late_by:,} ms" if evidence.reason is Reason.LATE else ""
        return f"itself {evidence.reason.replace('_', ' ')}{late}"


def _side(source: int, count: int) -> str:
    if count > len(Side):
        return f"table {source}" if source else "stream"
    return Side(source).name.lower()


def _missing(reasons: Iterable[Reason]) -> str:
    names = sorted({ARGUMENTS[reason] for reason in reasons})
    if not names:
        return f"the topics of the side outputs could not be searched to their ends within {ANSWER_TIMEOUT_S:g} s"
    return f"a side output would; name a topic for it ({', '.join(f'{name}=' for name in names)})"
