"""A trial: a join and another declaration of it, run over the same records, each on a state of its own in memory."""

from __future__ import annotations

import dataclasses
import enum
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from streamapp.advice.reasons import Reasons
from streamapp.advice.results import Result, What, told
from streamapp.advice.stretch import Asked
from streamapp.advice.taking import Taken, Taking
from streamapp.joins import (
    AsOfJoin,
    IdleTimeout,
    Join,
    MemoryStore,
    NWayJoin,
    Operator,
    Output,
    Reason,
    Record,
    Side,
    SideOutput,
    State,
    StreamStreamJoin,
    StreamTableJoin,
)
from streamapp.joins.state import Changes
from streamapp.measures.differences import Difference, Differences
from streamapp.measures.lateness import Place
from streamapp.windows.enrichment import Enrichment

__all__ = ["Became", "Fate", "Moved", "Outcome", "Trial"]

#: Records that a join gets at once.
BATCH_RECORDS: Final = 500
#: Of each change of what became of records that many are shown.
SAMPLES: Final = 5


class Fate(enum.StrEnum):
    """What became of a record; a side output has its reason, too."""

    MATCHED = "matched"
    #: It waits for its window to close, or for a partner.
    PENDING = "pending"
    #: It counts in windows, or is in a table.
    TAKEN = "taken in"


class Became(NamedTuple):
    """What became of a record: a `Fate`, or the reason of a side output; and by how much (ms) it was late."""

    fate: str
    late_by: int = 0


class Moved(NamedTuple):
    """Records of which something else became: in A and in B, how many, and the first of them."""

    a: str
    b: str
    records: int
    samples: list[tuple[Place, Became, Became]]


class CountingStore(MemoryStore):
    """Rows in memory, and how many of how many bytes they were at most, after a batch."""

    def __init__(self) -> None:
        self.rows = self.bytes = self.most_rows = self.most_bytes = 0
        super().__init__()

    def write(self, changes: Changes) -> None:
        """Write and delete rows."""
        for key, row in changes.items():
            if (old := self.get(key)) is not None:
                self.rows -= 1
                self.bytes -= len(key) + len(old)
            if row is not None:
                self.rows += 1
                self.bytes += len(key) + len(row)
        super().write(changes)
        self.most_rows = max(self.most_rows, self.rows)
        self.most_bytes = max(self.most_bytes, self.bytes)


@dataclasses.dataclass
class Outcome:
    """What a run gave for the stretch."""

    #: Records by what became of them.
    records: Counter[str] = dataclasses.field(default_factory=Counter)
    results: int = 0
    #: The most that was held, after a batch: all partitions together, of each the most.
    rows: int = 0
    bytes: int = 0


class _Run:
    """A join at work on all partitions; what comes of a stretch goes to the trial."""

    def __init__(self, trial: Trial, number: int, join: Join[Any]) -> None:
        self._trial, self._number, self._join = trial, number, join
        self._operators: dict[int, tuple[State, CountingStore, Operator[Any]]] = {}
        #: What became of records of the stretch, unless it is what is to be expected of their source.
        self.became: dict[tuple[int, Place], Became] = {}
        self.results = 0
        self.done = Outcome()

    def operator(self, partition: int) -> Operator[Any]:
        """Return the operator of a partition."""
        return self._started(partition)[2]

    def process(self, partition: int, batch: list[tuple[int, Record]], *, counts: bool) -> None:
        """Join records, of the stretch or from before it."""
        state, _, operator = self._started(partition)
        output = operator.process(batch)
        state.commit()
        self._take(partition, output, counts)

    def advance(self, partition: int, to: int, *, counts: bool) -> None:
        """Let event time go on to a time (ms)."""
        state, _, operator = self._started(partition)
        output = operator.advance(to)
        state.commit()
        self._take(partition, output, counts)

    def end(self) -> None:
        """Forget the operators, whose partitions are read to the end."""
        for _, store, _ in self._operators.values():
            self.done.rows += store.most_rows
            self.done.bytes += store.most_bytes
        self._operators.clear()

    def _started(self, partition: int) -> tuple[State, CountingStore, Operator[Any]]:
        found = self._operators.get(partition)
        if found is None:
            store = CountingStore()
            state = State(store, self._trial.taking.wall)
            found = self._operators[partition] = state, store, self._join.start(state)
        return found

    def _take(self, partition: int, output: Output[Any], counts: bool) -> None:
        locate = partial(self._locate, partition)
        for one in output.results:
            result = told(self._join, one, locate)
            if self._in_stretch(result, counts):
                self._trial.results.add(self._number, result.what, result.says)
                self.results += 1
                became = Became(Reason.LATE, result.late_by) if result.late_by else Became(Fate.MATCHED)
                for source, place in result.records if result.complete or result.late_by else ():
                    self._fate(source, place, became)
        for side in output.side_outputs:
            self._side(side, locate(side.side, side.record.offset))

    def _side(self, side: SideOutput, place: Place | None) -> None:
        if place is not None:
            self._fate(side.side, place, Became(side.reason.value, side.late_by))

    def _fate(self, source: int, place: Place, became: Became) -> None:
        if self._trial.taking.in_stretch(place):
            self.became[source, place] = became

    def _locate(self, partition: int, source: int, offset: int) -> Place | None:
        return self._trial.taking.place(source, partition, offset)

    def _in_stretch(self, result: Result, counts: bool) -> bool:
        if result.records:
            return any(self._trial.taking.in_stretch(place) for _, place in result.records)
        end = result.what.end
        return counts if end is None else end > self._trial.since


class Trial:
    """Runs both declarations.

    Args:
        taking: takes in the records.
        asked: which stretch they are of.
        a: the join as it is.
        b: as it would be.
    """

    def __init__(self, taking: Taking, asked: Asked, a: Join[Any], b: Join[Any]) -> None:
        self.taking, self._asked = taking, asked
        self.results: Differences[What, object] = Differences()
        #: The first event time (ms) of the stretch.
        self.since = 1 << 62
        self._runs = (_Run(self, 0, a), _Run(self, 1, b))
        self._pending = _waiting(a)
        #: By source, the records of the stretch; and those that could not be taken in, or have no event time.
        self.taken: Counter[int] = Counter()
        self.refused, self.bad = Reasons(), Reasons()
        #: Records that were read, also from before the stretch.
        self.read = 0
        self.seconds = 0.0
        #: By partition, when the last record came (ms), where an idle timeout asks for it.
        self._came_last: dict[int, int] = {}

    def run(self) -> None:
        """Read the stretch, and join it."""
        began = time.monotonic()
        for group in self.taking.groups():
            self._batches(self.taking.take(group, self._asked))
            for run in self._runs:
                run.end()
        self.seconds = time.monotonic() - began

    def outcomes(self) -> tuple[Outcome, Outcome]:
        """Return what the runs gave."""
        first, second = (self._outcome(run) for run in self._runs)
        return first, second

    def compared(self) -> Difference[What, object]:
        """Return in which results the runs differ."""
        return self.results.compare()

    def moved(self) -> list[Moved]:
        """Return the records of which something else became, by what, the most first."""
        first, second = (run.became for run in self._runs)
        samples: defaultdict[tuple[str, str], list[tuple[Place, Became, Became]]] = defaultdict(list)
        counts: Counter[tuple[str, str]] = Counter()
        for source, place in dict.fromkeys([*first, *second]):
            usual = Became(self._usual(source))
            a, b = (became.get((source, place), usual) for became in (first, second))
            if a.fate != b.fate:
                counts[a.fate, b.fate] += 1
                if len(samples[a.fate, b.fate]) < SAMPLES:
                    samples[a.fate, b.fate].append((place, a, b))
        return [Moved(a, b, count, samples[a, b]) for (a, b), count in counts.most_common()]

    def _outcome(self, run: _Run) -> Outcome:
        left = Counter(self.taken)
        records: Counter[str] = Counter()
        for (source, _), became in run.became.items():
            records[became.fate] += 1
            left[source] -= 1
        for source, count in left.items():
            records[self._usual(source)] += count
        return dataclasses.replace(run.done, records=+records, results=run.results)

    def _usual(self, source: int) -> str:
        """Return what became of a record of a source of which nothing was told."""
        return Fate.PENDING if source in self._pending else Fate.TAKEN

    def _batches(self, records: Iterator[Taken]) -> None:
        """Join the records of partitions that are read together, some of each at once."""
        waiting: defaultdict[int, list[tuple[int, Record]]] = defaultdict(list)
        counting: dict[int, bool] = {}
        idles: dict[int, IdleTimeout] = {}
        # Where it is known when records came, what they find depends on that.
        at_most = 1 if self.taking.arrival else BATCH_RECORDS
        for taken in records:
            number = taken.partition
            self.read += 1
            if not self._usable(taken):
                continue
            if waiting[number] and (counting[number] != taken.counts or len(waiting[number]) >= at_most):
                self._process(number, waiting, counting[number])
            if self.taking.arrival:
                self._pass(number, taken, idles)
            counting[number] = taken.counts
            assert taken.record is not None  # noqa: S101 - it is usable
            waiting[number].append((taken.source, taken.record))
        for number in list(waiting):
            if waiting[number]:
                self._process(number, waiting, counting[number])

    def _usable(self, taken: Taken) -> bool:
        if taken.record is None:
            if taken.counts and taken.why is not None:
                (self.refused if taken.came.bad is None else self.bad).add(taken.why, taken.place)
            return False
        if taken.counts:
            self.taken[taken.source] += 1
            if taken.source not in self.taking.subject.tables:
                self.since = min(self.since, taken.record.timestamp)
        return True

    def _process(self, number: int, waiting: Mapping[int, list[tuple[int, Record]]], counts: bool) -> None:
        batch = waiting[number]
        for run in self._runs:
            run.process(number, list(batch), counts=counts)
        batch.clear()

    def _pass(self, number: int, taken: Taken, idles: dict[int, IdleTimeout]) -> None:
        """Let event time go on by itself where nothing came for the idle timeout, and something waits."""
        arrival, timeout, wall = taken.came.arrival, self.taking.subject.idle_timeout, self.taking.wall
        if arrival is None:
            return
        if arrival > wall.now:
            wall.set(arrival, wall.limit - wall.now)
        if timeout is None:
            return
        idle = idles.setdefault(number, IdleTimeout(timeout, arrival))
        for run in self._runs:
            operator = run.operator(number)
            # The clock as the record before has left it.
            idle.seen(operator.clock.now, self._came_last.get(number, arrival))
            if (due := idle.due(arrival)) is not None and operator.waits:
                run.advance(number, min(due, wall.limit), counts=taken.counts)
        self._came_last[number] = arrival


def _waiting(join: Join[Any] | None) -> frozenset[int]:
    """Return the sources whose records wait until something is told of them."""
    match join:
        case StreamStreamJoin():
            return frozenset(Side)
        case AsOfJoin() | StreamTableJoin() | NWayJoin() | Enrichment():
            return frozenset({Side.LEFT})
        case _:
            return frozenset()
