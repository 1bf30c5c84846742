"""Each record with what just happened to its key: features such as how many there were in the last minute.

They are as of the record's own time, and as of the moment at which it came: what comes later and is earlier by event
time counts for those after it only. Each record comes out once, at once, in the order in which they came. One that is
late comes out without features, since what was before it may be forgotten, and counts for no other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Self

import msgspec

from streamapp.joins.clock import END
from streamapp.joins.declared import Declared, Described, StateMismatch, changes, duration, earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.held import Held as HeldRecord
from streamapp.joins.held import Holding
from streamapp.joins.horizon import Horizon
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Event, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Aggregate, Held, Value
from streamapp.windows.chunks import Chunk, chunks, together
from streamapp.windows.count import Count
from streamapp.windows.fields import CheckedFields, Fields, JsonFields, fields_for
from streamapp.windows.histories import Histories
from streamapp.windows.look_back_plan import Plan

__all__ = ["Enrichment", "EnrichmentOperator", "Feature", "Featured", "FurtherKey"]

#: The records of a key that are told, at most.
RECORDS_TOLD: Final = 1_000
_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode
#: Between the names of fields in a declaration.
SEPARATOR: Final = ", "


class Featured(msgspec.Struct, frozen=True, gc=False):
    """A record with its features, in the order in which they are declared; each is None if it was late (ms)."""

    key: bytes
    record: Record
    values: tuple[Value, ...]
    timestamp: int
    late_by: int = 0


@dataclasses.dataclass(frozen=True)
class Feature:
    """An aggregate of the records of a key in ``(timestamp - size, timestamp]``, the record itself included.

    Args:
        aggregate: such as ``Count()``.
        size: how far (ms) it looks back.

    Raises:
        ValueError: if that is not more than 0.
    """

    aggregate: Aggregate[Held]
    size: int

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise ValueError(f"a feature looks back by more than 0, and not by {self.size} ms")


@dataclasses.dataclass(frozen=True)
class FurtherKey:
    """Features of records by another key than their own.

    Args:
        name: of the key; the state of its features is kept under it.
        keys: returns the key of each of many records.
        features: by their names, likewise.
    """

    name: str
    keys: Callable[[Sequence[Record]], Sequence[bytes]]
    features: Mapping[str, Feature]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Enrichment(Described):
    """Gives each record of a stream, which is source 0, features of its key.

    Args:
        features: by their names, in the order of the results' values.
        grace: how far (ms) a record may be behind the clock.
        fields: returns for a record the values that the features' aggregates take, in their order; None = those of the
            fields of the JSON object that its value is (`JsonFields`).
        further: features by other keys, whose values come behind the others. What they count is the records of a
            partition: so they are for a stream that has one only.

    Raises:
        ValueError: for a negative grace, no features, or some whose aggregates are not for one field together.
    """

    features: Mapping[str, Feature]
    grace: int = 0
    fields: Fields | None = None
    further: Sequence[FurtherKey] = ()

    def __post_init__(self) -> None:
        if self.grace < 0:
            raise ValueError(f"the grace must not be negative, but is {self.grace} ms")
        if not self.features:
            raise ValueError("there must be at least one feature, such as n=Feature(Count(), 60_000)")
        self.values  # noqa: B018 - what is wrong with the fields is told here, and not by the first partition

    @functools.cached_property
    def values(self) -> JsonFields | CheckedFields:
        """Returns the values that the features' aggregates take of a record."""
        return fields_for([feature.aggregate for feature in self.features.values()], self.fields)

    @property
    def longest(self) -> int:
        """How far (ms) its features look back."""
        return max(feature.size for feature in self.features.values())

    def start(self, state: State) -> EnrichmentOperator:
        """Begin, or go on, with what the state holds."""
        return FurtherKeysOperator(self, state) if self.further else EnrichmentOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        fields = sorted({feature.aggregate.field for feature in self.features.values()} - {None}, key=str)
        return Declared(
            "features of records",
            {"grace": self.grace, "longest": self.longest, "fields": SEPARATOR.join(map(str, fields))},
        )

    def written_by(self, declared: Declared) -> Self:
        """Return an enrichment whose state has the records of the one that wrote it, or raise a StateMismatch."""
        match dict(declared.settings):
            case {"grace": int(grace), "longest": int(longest), "fields": str(fields)}:
                names = ("", *fields.split(SEPARATOR))
                kept = {field: Feature(Count(field or None), longest) for field in names}
                return dataclasses.replace(self, features=kept, grace=grace)
        raise StateMismatch(f"it is that of {declared}, which this version of streamapp does not know")

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results after the state of another enrichment is taken over."""
        notes = []
        for name, feature in self.features.items():
            if (feature.aggregate.field or "") not in was.features:
                notes.append(f"{name} is new: it lacks the field {feature.aggregate.field} of the records so far")
            elif feature.size > was.longest:
                notes.append(f"{name} looks back by {duration(feature.size)}: what had left the state is missing")
        if self.grace > was.grace:
            notes.append(f"{changes(was, self, 'grace')}: what was late before stays late")
        return notes


class EnrichmentOperator(Accounting[Featured]):
    """An enrichment at work on one partition; all records count in its balance, matched are those that come out."""

    def __init__(self, join: Enrichment, state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        features = [(feature.aggregate, feature.size) for feature in join.features.values()]
        self._values = join.values
        self._horizon = Horizon(state, self.clock, join.grace, was.grace)
        self._reach = join.grace + join.longest
        records = state.section(b"records/")
        self._plan = Plan(features)
        self._histories = Histories(self._plan, records, self._reach, heads=True, final=False)
        since = self._ledger.reached - was.grace - was.longest
        self._histories.restore(since + 1, END, forget=self._ledger.set_back or was is not join)

    def process(self, batch: Batch) -> Output[Featured]:
        """Tell of each record its features."""
        now = self.clock.time
        for some in chunks(batch):
            chunk = together(some, self._values, self.clock, partial(self._in_time, now))
            now = self._one_by_one(some, now) if chunk is None else self._together(chunk, now)
        return self._close(now)

    def _in_time(self, now: int, earliest: int, latest: int) -> bool:
        """Return whether none of the records between two times (ms) is late."""
        return earliest >= self._horizon.at(max(now, latest))

    def _together(self, chunk: Chunk, now: int) -> int:
        """Tell of each record its features; returns the time (ms) that the clock shows then."""
        told = self._histories.add_all(chunk.keys, chunk.times, chunk.columns, now - self._reach)
        self._ledger.results += map(Featured, chunk.keys, chunk.records, told, chunk.times)
        self.balance.received += len(told)
        self.balance.matched += len(told)
        return max(now, chunk.latest)

    def _one_by_one(self, batch: Batch, now: int) -> int:
        """Tell of each record its features; returns the time (ms) that the clock shows then."""
        ledger, horizon, values, histories = self._ledger, self._horizon, self._values, self._histories
        results = ledger.results
        limit = self.clock.wall.limit
        reach, grace, floor = self._reach, self.join.grace, horizon.floor
        since, over = horizon.at(now), now - reach
        received, counted, nothing = 0, len(results), (None,) * len(self.join.features)
        for source, record in batch:
            received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                reason = Reason.NULL_VALUE if record.value is None else Reason.NULL_KEY
                ledger.rejected(self.balance, source, record, reason)
                continue
            try:
                row = values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            if timestamp < since:
                ledger.partly_late(source, record, since - timestamp)
                results.append(Featured(key, record, nothing, timestamp, since - timestamp))
                continue
            history = histories[key]
            told = histories.add(history, timestamp, row, over)
            if told is None:
                told = histories.earlier(history, timestamp)
            results.append(Featured(history.key, record, tuple(told), timestamp))
            if timestamp > now:
                if timestamp > limit:
                    self.clock.advance(timestamp)
                else:
                    now, over = timestamp, timestamp - reach
                    since = max(now - grace, floor)
        self.balance.received += received
        self.balance.matched += len(results) - counted
        return now

    def advance(self, to: int) -> Output[Featured]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        return self._close(to)

    def _close(self, now: int) -> Output[Featured]:
        """End a batch, after which the clock shows `now` (ms) at least."""
        self.clock.advance(now)
        self._histories.save(self.clock.time)
        return self._ledger.close()

    def held(self, key: bytes) -> list[HeldRecord]:
        """Return the newest records of a key that features may still take, with the fields that these do."""
        history, over = self._histories.get(key), self.clock.time - self._reach
        rows = [] if history is None else history.newest(RECORDS_TOLD)
        fields, kept = self._plan.fields, [(time, row) for time, row in rows if time > over]
        values = [_encode(dict(zip(fields, row, strict=True))) for _, row in kept]
        return [
            HeldRecord(0, Holding.BUFFERED, time, value, until=time + self._reach)
            for (time, _), value in zip(kept, values, strict=True)
        ]

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells."""
        if record.key is None or record.value is None:
            return unusable(record, self.clock, None)
        in_time = record.timestamp >= self._horizon.time
        return Explanation(
            verdict=Verdict.MATCHED if in_time else Verdict.OVER,
            clock=self.clock.now,
            grace=self.join.grace,
            windows=[(record.timestamp - feature.size, record.timestamp) for feature in self.join.features.values()],
            untold=Verdict.MATCHED,
            reasons=frozenset({Reason.REFUSED} if in_time else {Reason.PARTLY_LATE, Reason.REFUSED}),
        )


class FurtherKeysOperator(EnrichmentOperator):
    """An enrichment with features by further keys; accounts and explanations are those of the records by their own key.

    Each further key has an enrichment of its own, on the same clock, in a section of the state. So without further keys
    the state can go on, and with them again.
    """

    def __init__(self, join: Enrichment, state: State) -> None:
        super().__init__(join, state)
        self._further = [
            (further, self._by(further).start(state.section(b"by %s/" % further.name.encode())))
            for further in join.further
        ]

    def _by(self, further: FurtherKey) -> Enrichment:
        return Enrichment(features=further.features, grace=self.join.grace)

    def process(self, batch: Batch) -> Output[Featured]:
        """Tell of each record its features by all keys."""
        output = super().process(batch)
        if not output.results:
            return output
        records = [one.record for one in output.results]
        values = [one.values for one in output.results]
        for further, operator in self._further:
            again = [
                Event(key, record.value, record.timestamp, record.offset)
                for key, record in zip(further.keys(records), records, strict=True)
            ]
            # What is late counts here for no other, either.
            in_time = [(0, event) for event, one in zip(again, output.results, strict=True) if not one.late_by]
            told = {id(one.record): one.values for one in operator.process(in_time).results}
            # One that only these features refuse comes out without them.
            nothing = (None,) * len(further.features)
            values = [(*before, *told.get(id(event), nothing)) for before, event in zip(values, again, strict=True)]
        results = [
            Featured(one.key, one.record, all_, one.timestamp, one.late_by)
            for one, all_ in zip(output.results, values, strict=True)
        ]
        return Output(results, output.side_outputs)

    def advance(self, to: int) -> Output[Featured]:
        """Move the clocks on to an event time (ms), as a record would that is of no key."""
        for _, operator in self._further:
            operator.advance(to)
        return super().advance(to)
