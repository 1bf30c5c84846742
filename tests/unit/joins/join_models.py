"""What each join means, as naive as can be: lists of what came in, compared each with each.

A model gives, for records in the order of their arrival, all results of the join (without an order), and what became of
the records that count in its balance. Written from the contract alone; shares nothing with the joins but the settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, cast

from streamapp.joins import AsOfJoin, Direction, ForeignKeyJoin, How, StreamStreamJoin, StreamTableJoin, TableTableJoin

__all__ = [
    "Arrival",
    "Told",
    "as_of",
    "foreign_key",
    "n_way",
    "stream_stream",
    "stream_table",
    "table_table",
    "windows",
]

LEFT, RIGHT = 0, 1


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A record, as it came."""

    source: int
    key: bytes | None
    value: bytes | None
    timestamp: int


@dataclasses.dataclass
class Told:
    """What a join tells: its results, and how many records were matched and so on."""

    results: list[Any] = dataclasses.field(default_factory=list)
    matched: int = 0
    unmatched: int = 0
    pending: int = 0
    late: int = 0
    rejected: int = 0

    def count(self, what: str) -> None:
        setattr(self, what, getattr(self, what) + 1)


def stream_stream(join: StreamStreamJoin, arrivals: list[Arrival]) -> Told:
    told = Told()
    lefts: list[Any] = []
    rights: list[Any] = []
    clock = -(10**9)
    keeps = {LEFT: join.how in {How.LEFT, How.OUTER}, RIGHT: join.how in {How.RIGHT, How.OUTER}}
    for arrival in arrivals:
        alone = (arrival, None) if arrival.source == LEFT else (None, arrival)
        if arrival.value is None:
            told.count("rejected")
        elif arrival.timestamp < clock - join.grace:
            told.count("late")
        elif arrival.key is None and keeps[arrival.source]:
            told.count("unmatched")
            told.results.append((*alone, arrival.timestamp))
        elif arrival.key is None:
            told.count("rejected")
        else:
            clock = max(clock, arrival.timestamp)
            (lefts if arrival.source == LEFT else rights).append(arrival)
    pairs = [
        (left, right)
        for left in lefts
        for right in rights
        if left.key == right.key and left.timestamp - join.before <= right.timestamp <= left.timestamp + join.after
    ]
    told.results += [(left, right, max(left.timestamp, right.timestamp)) for left, right in pairs]
    joined = {id(record) for pair in pairs for record in pair}
    for records, reach in ((lefts, join.after), (rights, join.before)):
        for record in records:
            if id(record) in joined:
                told.count("matched")
            elif clock <= record.timestamp + reach + join.grace:
                told.count("pending")
            else:
                told.count("unmatched")
                if keeps[record.source]:
                    alone = (record, None) if record.source == LEFT else (None, record)
                    told.results.append((*alone, record.timestamp))
    return told


def as_of(join: AsOfJoin, arrivals: list[Arrival]) -> Told:
    told = Told()
    lefts: list[Any] = []
    rights: list[Any] = []
    clock = -(10**9)
    for arrival in arrivals:
        late = arrival.timestamp < clock - join.grace
        if arrival.source == RIGHT:
            if arrival.key is not None and arrival.value is not None and not late:
                clock = max(clock, arrival.timestamp)
                rights.append(arrival)
        elif arrival.value is None:
            told.count("rejected")
        elif late:
            told.count("late")
        elif arrival.key is None and join.how is How.LEFT:
            told.count("unmatched")
            told.results.append((arrival, None, arrival.timestamp))
        elif arrival.key is None:
            told.count("rejected")
        else:
            clock = max(clock, arrival.timestamp)
            lefts.append(arrival)
    ahead = 0 if join.direction is Direction.BACKWARD else join.tolerance
    for left in lefts:
        if clock <= left.timestamp + ahead + join.grace:
            told.count("pending")
            continue
        near = []
        for number, right in enumerate(rights):
            apart = right.timestamp - left.timestamp
            wrong_way = {Direction.BACKWARD: apart > 0, Direction.FORWARD: apart < 0, Direction.NEAREST: False}
            if right.key == left.key and abs(apart) <= join.tolerance and not wrong_way[join.direction]:
                near.append((abs(apart), apart, -number, right))
        if near:
            told.count("matched")
            told.results.append((left, min(near)[3], left.timestamp))
        else:
            told.count("unmatched")
            if join.how is How.LEFT:
                told.results.append((left, None, left.timestamp))
    return told


class Updates:
    """All updates of a table that were accepted so far."""

    def __init__(self, history: int | None) -> None:
        self.history = history
        self.accepted: list[Arrival] = []
        self.clock = -(10**9)

    def accept(self, update: Arrival) -> bool:
        if self.history is not None and update.timestamp < self.clock - self.history:
            return False
        self.clock = max(self.clock, update.timestamp)
        self.accepted.append(update)
        return True

    def current(self, key: bytes) -> Arrival | None:
        """The update that counts now: a plain table's last one, a versioned table's latest one; may be a tombstone."""
        found = [update for update in self.accepted if update.key == key]
        if self.history is not None:
            found.sort(key=lambda update: update.timestamp)
        return found[-1] if found else None

    def at(self, key: bytes, timestamp: int) -> Arrival | None:
        """The update that a record of this time joins."""
        current = self.current(key)
        if current is None or (current.value is None and self.history is None):
            return None
        if self.history is None or current.timestamp <= timestamp:
            found: Arrival | None = current
        elif timestamp < self.clock - self.history:
            return None
        else:
            before = [update for update in self.accepted if update.key == key and update.timestamp <= timestamp]
            found = max(before, key=lambda update: update.timestamp, default=None)
            found = [update for update in before if update.timestamp == found.timestamp][-1] if found else None
        return None if found is None or found.value is None else found


def n_way(joins: tuple[StreamTableJoin, ...], arrivals: list[Arrival]) -> Told:
    told, waiting = Told(), []
    tables = [Updates(join.history) for join in joins]
    grace = joins[0].grace
    clock = -(10**9)

    def join_now(record: Arrival) -> None:
        rows = []
        for join, table in zip(joins, tables, strict=True):
            row = table.at(record.key, record.timestamp) if record.key is not None else None
            now = max(record.timestamp, clock - (grace or 0))
            rows.append(None if row and join.ttl and row.timestamp < now - join.ttl else row)
        emitted = all(row or join.how is How.LEFT for join, row in zip(joins, rows, strict=True))
        if all(rows):
            told.count("matched")
        elif record.key is None and not emitted:
            told.count("rejected")
        else:
            told.count("unmatched")
        if emitted:
            told.results.append((record, *rows, record.timestamp))

    for arrival in arrivals:
        if arrival.source > 0:
            if arrival.key is not None:
                tables[arrival.source - 1].accept(arrival)
        elif arrival.value is None:
            told.count("rejected")
        elif grace is not None and arrival.timestamp < clock - grace:
            told.count("late")
        elif arrival.key is None:
            join_now(arrival)
        else:
            clock = max(clock, arrival.timestamp)
            waiting.append(arrival)
            for record in sorted(waiting, key=lambda record: (record.timestamp, record.key)):
                if grace is None or record.timestamp + grace <= clock:
                    waiting.remove(record)
                    join_now(record)
    told.pending = len(waiting)
    return told


def stream_table(join: StreamTableJoin, arrivals: list[Arrival]) -> Told:
    return n_way((join,), arrivals)


def table_table(join: TableTableJoin, arrivals: list[Arrival]) -> Told:
    told, tables = Told(), (Updates(join.left_history), Updates(join.right_history))

    def row(key: bytes, source: int) -> Arrival | None:
        current = tables[source].current(key)
        return None if current is None or current.value is None else current

    def joined(key: bytes) -> tuple[Arrival | None, Arrival | None]:
        left, right = row(key, LEFT), row(key, RIGHT)
        alone = {How.INNER: False, How.LEFT: bool(left), How.RIGHT: bool(right), How.OUTER: bool(left or right)}
        return (left, right) if (left and right) or alone[join.how] else (None, None)

    for arrival in arrivals:
        if arrival.key is None:
            told.count("rejected")
            continue
        before, table = joined(arrival.key), tables[arrival.source]
        if not table.accept(arrival) or table.current(arrival.key) is not arrival:
            told.count("rejected")
            continue
        other = row(arrival.key, 1 - arrival.source)
        told.count("matched" if other else "unmatched")
        after = joined(arrival.key)
        if any(after) or any(before):
            timestamp = max(arrival.timestamp, other.timestamp) if other else arrival.timestamp
            told.results.append((arrival.key, *after, timestamp))
    return told


def foreign_key(join: ForeignKeyJoin, arrivals: list[Arrival]) -> Told:
    told = Told()
    lefts: dict[bytes | None, Arrival] = {}
    rights: dict[bytes | None, Arrival] = {}

    def joined() -> dict[bytes | None, tuple[Arrival, Arrival | None]]:
        found = {key: (left, rights.get(join.foreign_key(cast("Any", left)))) for key, left in lefts.items()}
        return {key: rows for key, rows in found.items() if rows[1] or join.how is How.LEFT}

    for arrival in arrivals:
        if arrival.key is None:
            told.count("rejected")
            continue
        before, table = joined(), lefts if arrival.source == LEFT else rights
        old = table.get(arrival.key)
        if arrival.value is None:
            table.pop(arrival.key, None)
        else:
            table[arrival.key] = arrival
        after = joined()
        if arrival.source == LEFT:
            touched, about = [arrival.key], arrival if arrival.value is not None else old
            name = None if about is None else join.foreign_key(cast("Any", about))
            if name in rights:
                told.count("matched")
            elif arrival.value is not None and name is None and join.how is How.INNER:
                told.count("rejected")
            else:
                told.count("unmatched")
        else:
            touched = sorted(
                key
                for key, left in lefts.items()
                if key is not None and join.foreign_key(cast("Any", left)) == arrival.key
            )
            told.count("matched" if touched else "unmatched")
        for key in touched:
            if key in after:
                rows = after[key]
                told.results.append((key, *rows, max(row.timestamp for row in (arrival, *rows) if row)))
            elif key in before:
                times = [arrival.timestamp] + [lefts[key].timestamp for _ in "x" if arrival.source == RIGHT]
                told.results.append((key, None, None, max(times)))
    return told


def windows(size: int, step: int, grace: int, fold: Callable[[list[Arrival]], Any], arrivals: list[Arrival]) -> Told:
    told, kept = Told(), []
    clock = -(10**9)
    for arrival in arrivals:
        if arrival.value is None:
            told.count("rejected")
        elif arrival.timestamp < clock - grace:
            told.count("late")
        elif arrival.key is None:
            told.count("rejected")
        else:
            clock = max(clock, arrival.timestamp)
            kept.append(arrival)
    closed: set[int] = set()
    for start in range(-100 * step, 10**4, step):
        if start + size + grace <= clock:
            for key in sorted({record.key for record in kept if record.key is not None}):
                inside = [record for record in kept if record.key == key and start <= record.timestamp < start + size]
                if inside:
                    told.results.append((key, start, fold(inside), max(record.timestamp for record in inside)))
                    closed.update(id(record) for record in inside)
    told.matched = len(closed)
    told.pending = len(kept) - len(closed)
    return told
