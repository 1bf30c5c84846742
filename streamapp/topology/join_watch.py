"""What a join tells the watch: of each of its topics what became of the records, and whether any found a partner."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, Self

from faust.types import TP

from streamapp.formats.undecodable import Reason as Letter
from streamapp.joins import (
    AsOfJoin,
    Balance,
    How,
    Join,
    NWayJoin,
    Reason,
    Side,
    SideOutput,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from streamapp.joins.foreign_key import LeftHalf
from streamapp.joins.stream_table import StreamTableOperator
from streamapp.runtime.advice import advice, advice_on_keys, shortened
from streamapp.runtime.tally import LEAST, SOON, SOON_S, Example, Tally
from streamapp.runtime.unmatched import SAMPLE
from streamapp.runtime.watch import Finding, Watch, judged
from streamapp.topology.accounts import Account
from streamapp.topology.global_table import GlobalJoin
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["CAUSES", "JoinWatch", "Kind"]

#: Joins of a stream, source 0, with what it is looked up in: most of its records are to find something.
LOOKING_UP: Final = (StreamTableJoin, NWayJoin, GlobalJoin, AsOfJoin)
#: Joins whose records may mostly be without a partner: that none has one is told only.
MEETING: Final = (StreamStreamJoin, TableTableJoin, LeftHalf)
#: Joins whose right sides are tables that can be asked for their keys.
TABLES: Final = (StreamTableJoin, NWayJoin, GlobalJoin)
#: Causes of refusals that are counted by; any other text may be of a record.
CAUSES: Final = frozenset(Letter)


class Kind(NamedTuple):
    """What side outputs are told apart by."""

    side: int
    reason: Reason
    cause: str
    rejected: bool

    @classmethod
    def of(cls, one: SideOutput) -> Self:
        """Return that of one."""
        return cls(one.side, one.reason, one.cause, one.rejected)


class Processor(Protocol):
    """The processor of a join, as far as the watch asks it."""

    @property
    def partitions(self) -> Mapping[int, Account]:
        """How the partitions of this worker stand."""

    def looked_up(self, partition: int) -> StreamTableOperator[object]:
        """Return the operator of a partition, which can be asked for keys of its tables; KeyError = it is gone."""


@dataclasses.dataclass(eq=False)
class JoinWatch:
    """Counts what became of the records of a join; `topics` has the topic of each source."""

    #: What messages call it.
    title: str
    join: Join[Any]
    topics: Mapping[int, str]
    #: By source, how many records without a partner there were that need none.
    alone: Counter[int] = dataclasses.field(default_factory=Counter)

    def __post_init__(self) -> None:
        join = self.join.join if isinstance(self.join, GlobalJoin) else self.join
        #: Whether unmatched records give a result all the same.
        self.keeps = getattr(join, "how", How.INNER) is not How.INNER
        if isinstance(join, NWayJoin):
            self.keeps = all(each.keeps_unmatched for each in join.joins)
        #: Whether the records of source 0 are looked up, and are to find something.
        self.looks_up = isinstance(self.join, LOOKING_UP)
        self.tallies = {source: Tally() for source in self.topics}

    def begin(self, watch: Watch, processor: Processor) -> None:
        """Be looked at from now on."""
        for source in self.topics:
            watch.add(_Input(self, source, processor))
        if isinstance(self.join, MEETING):
            watch.add(_Partners(self, processor))

    def took(self, counts: Mapping[str, int], before: Balance, after: Balance) -> None:
        """Count the records of a batch, by how many each topic had, and how the partition stood and stands now."""
        for source, tally in self.tallies.items():
            if self.looks_up and source == Side.LEFT:  # what waits is not decided yet
                tally.taken += (after.received - after.pending) - (before.received - before.pending)
            else:
                tally.taken += counts.get(self.topics[source], 0)

    def count(self, partition: int, kind: Kind, count: int, last: SideOutput) -> None:
        """Count side outputs of a kind, of a partition; the last one is the example."""
        source, reason, cause, rejected = kind
        if reason in {Reason.SUPERSEDED, Reason.PARTLY_LATE}:
            return  # it is in the table's history, or counts in a window
        tally, word = self.tallies[source], cause if cause in CAUSES else reason.value
        if rejected or reason is Reason.LATE:
            tally.rejected[word] += count
        elif self.looks_up:
            tally.unmatched[word] += count
        else:
            self.alone[source] += count
        tally.note(word, self._example(source, partition, last))

    def _example(self, source: int, partition: int, one: SideOutput) -> Example:
        error = f"late by {one.late_by:,} ms" if one.reason is Reason.LATE else one.detail
        if one.reason is Reason.NULL_KEY and self.topics[source].endswith("-repartition"):
            error = "in the topic as it came, the field is null"
        elif one.reason is Reason.NULL_KEY and isinstance(self.join, WindowedAggregate):
            error = "it has no key to count by; by= (--by) counts by a field of the value"
        return Example(TP(self.topics[source], partition), one.record.offset, error, self._key(source, one))

    def _key(self, source: int, one: SideOutput) -> bytes | None:
        join = self.join.join if isinstance(self.join, GlobalJoin) else self.join
        key = getattr(join, "key", None)
        try:
            return one.record.key if key is None or source != Side.LEFT else key(one.record)
        except Exception:  # of any kind: the function is a user's, and the record may have been refused for its bytes
            return None


class _Input:
    """A topic of a join, as the watch looks at it."""

    def __init__(self, watch: JoinWatch, source: int, processor: Processor) -> None:
        topics = list(watch.topics.values())
        side = f" ({Side(source).name.lower()})" if topics.count(watch.topics[source]) > 1 else ""
        self.name = f"{watch.topics[source]}{side} in the {watch.title}"
        self._watch = watch
        self._source = source
        self._processor = processor

    def look(self, now: float, share: float) -> Finding | None:
        """Judge the last minute."""
        tally = self._watch.tallies[self._source]
        tally.keeps = self._watch.keeps
        return judged(tally, self.name, now, share, self)

    def advice(self, reason: str, example: Example | None) -> str:
        """Return what to do about records that have no partner."""
        watch = self._watch
        if reason == Reason.EXPIRED or example is None:
            return advice(reason)
        for source in sorted(watch.topics)[1:] or [Side.RIGHT]:
            topic = watch.join.table.topic if isinstance(watch.join, GlobalJoin) else watch.topics[source]
            if not isinstance(watch.join, TABLES):
                return advice(reason) if watch.tallies[source].taken else f"nothing was read from {topic} so far"
            keys = list(itertools.islice(self._keys(example.tp.partition, source), SAMPLE))
            if not keys and (told := self._rejected(source)):
                return told
            if not keys or len(watch.topics) <= len(Side):
                by_now = self._has(example, source)
                return advice_on_keys(example.key, keys, f"the table of {topic}", by_now=by_now)
        return advice(reason)

    def _has(self, example: Example, source: int) -> bool:
        try:
            operator = self._processor.looked_up(example.tp.partition)
        except KeyError:  # it has gone to another worker
            return False
        return example.key is not None and operator.has(source, example.key)

    def _rejected(self, source: int) -> str:
        """Return what became of the rows of a table that has none."""
        tally = self._watch.tallies.get(source, Tally())
        if not tally.rejected:
            return ""
        ((reason, count),) = tally.rejected.most_common(1)
        error = shortened(tally.examples[reason].error)
        return f"the table of {self._watch.topics[source]} has no rows: {count:,} were rejected, {reason}: {error}"

    def _keys(self, partition: int, source: int) -> Iterable[bytes]:
        for number in dict.fromkeys([partition, *self._processor.partitions]):
            try:
                yield from self._processor.looked_up(number).keys(source)
            except KeyError:  # it has gone to another worker
                continue


class _Partners:
    """Whether any record of a join of two sides has found a partner."""

    def __init__(self, watch: JoinWatch, processor: Processor) -> None:
        self.name = f"the {watch.title}"
        self._watch = watch
        self._processor = processor
        self._since: float | None = None

    def look(self, now: float, share: float) -> Finding | None:
        """Judge all since the start."""
        watch, balances = self._watch, [each.balance for each in self._processor.partitions.values()]
        if any(balance.matched for balance in balances):
            return Finding(False)
        unmatched = watch.alone.total()
        if not unmatched or share >= 1:
            return None
        self._since = now if self._since is None else self._since
        if unmatched < LEAST or (unmatched < SOON and now - self._since < SOON_S):
            return None
        if watch.keeps and any(tally.taken < LEAST for tally in watch.tallies.values()):
            return None  # there are results, and one side is only about to come
        read = " and ".join(f"{tally.taken:,} of {watch.topics[source]}" for source, tally in watch.tallies.items())
        return Finding(True, f"no record in the {watch.title} has found a partner, of {read}", self._detail)

    def _detail(self) -> str:
        watch = self._watch
        for source, tally in watch.tallies.items():
            if not tally.taken:
                return f"; nothing was read from {watch.topics[source]} so far"
        examples = [tally.examples.get(Reason.UNMATCHED) for tally in watch.tallies.values()]
        keys = [None if example is None else example.key for example in examples]
        if len(keys) == len(Side) and keys[0] is not None and keys[1] is not None:
            return f"; {advice_on_keys(keys[0], [keys[1]], list(watch.topics.values())[1])}; {advice(Reason.UNMATCHED)}"
        return f"; {advice(Reason.UNMATCHED)}"
