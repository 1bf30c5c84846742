"""A plain model of look-back windows: all records of a key with all."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streamapp.joins import Event, Record
from streamapp.windows.aggregate import Aggregate
from streamapp.windows.count import Count
from streamapp.windows.extremes import Max, Min
from streamapp.windows.frequencies import Distinct
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.order import Collect, First, Last
from streamapp.windows.own import Own


class Arrival(NamedTuple):
    """A record; its number says when it came."""

    key: bytes | None
    value: float | str | None
    timestamp: int
    number: int

    @property
    def event(self) -> Event:
        """It, as an operator gets it: the value has the number, too."""
        value = None if self.value is None else json.dumps([self.value, self.number]).encode()
        return Event(self.key, value, self.timestamp, self.number)


def value_of(record: Record) -> Any:
    return json.loads(record.value or b"")[0]


Values = Sequence[Any]
#: Aggregates, and what they are to say of values in the order of (time, arrival).
AGGREGATES: list[tuple[Aggregate[Any], Callable[[Values], Any]]] = [
    (Count(), len),
    (Sum("v"), lambda values: math.fsum(values) if any(type(one) is float for one in values) else sum(values)),
    (Mean("v"), lambda values: math.fsum(values) / len(values)),
    (Min("v"), min),
    (Max("v"), max),
    (Distinct("v"), lambda values: len(set(values))),
    (First("v"), lambda values: values[0]),
    (Last("v"), lambda values: values[-1]),
    (Collect("v"), list),
    (
        Own(
            "v",
            name="merged",
            initial=list,
            add=lambda s, v: [*s, v],
            merge=lambda s, o: s + o,
            state_type=list,
            result=sorted,
        ),
        sorted,
    ),
    (Own("v", name="scanned", initial=list, add=lambda s, v: [*s, v], state_type=list), list),
    (
        Own(
            "v",
            name="removed",
            initial=list,
            add=lambda s, v: sorted([*s, v]),
            remove=lambda s, v: s[: (i := s.index(v))] + s[i + 1 :],
            state_type=list,
        ),
        sorted,
    ),
]


@dataclasses.dataclass
class Told:
    """What is to come out; results are (key, end, numbers of the records in the window, final)."""

    results: list[tuple[bytes, int, tuple[int, ...], bool]]
    late: dict[int, int]
    rejected: set[int]
    pending: int
    values: dict[int, Any]


def run(size: int, grace: int, records: Sequence[Arrival], *, updates: bool, final: bool) -> Told:
    """Tell what comes out of look-back windows."""
    told = Told([], {}, set(), 0, {record.number: record.value for record in records})
    now, taken, waiting = -(1 << 62), list[Arrival](), list[Arrival]()
    for record in records:
        if record.key is None or record.value is None:
            told.rejected.add(record.number)
            continue
        if record.timestamp < now - grace:
            told.late[record.number] = now - grace - record.timestamp
            continue
        now = max(now, record.timestamp)
        taken.append(record)
        taken.sort(key=place)
        waiting.append(record)
        if updates:
            told.results += [
                result(taken, one, size, final=False)
                for one in taken
                if one.key == record.key and place(one) >= place(record) and one.timestamp < record.timestamp + size
            ]
        over = sorted((one for one in waiting if one.timestamp + grace <= now), key=place)
        waiting = [one for one in waiting if one.timestamp + grace > now]
        if final:
            told.results += [result(taken, one, size, final=True) for one in over]
    told.pending = len(waiting)
    return told


#: The numbers of the records in each of a record's windows; None = it came too late to be told them.
Inside = list[tuple[int, ...]] | None


def features(sizes: Sequence[int], grace: int, records: Sequence[Arrival]) -> list[tuple[int, Inside]]:
    """Tell the numbers of the records that come out, each with those in its windows as of when it came."""
    found: list[tuple[int, Inside]] = []
    now, taken = -(1 << 62), list[Arrival]()
    for record in records:
        if record.key is None or record.value is None:
            continue
        if record.timestamp < now - grace:
            found.append((record.number, None))
            continue
        now = max(now, record.timestamp)
        taken.append(record)
        taken.sort(key=place)
        found.append((record.number, [result(taken, record, size, final=False)[2] for size in sizes]))
    return found


def place(record: Arrival) -> tuple[int, int]:
    return record.timestamp, record.number


def result(
    taken: Sequence[Arrival], record: Arrival, size: int, *, final: bool
) -> tuple[bytes, int, tuple[int, ...], bool]:
    inside = [
        one.number
        for one in taken
        if one.key == record.key and place(one) <= place(record) and one.timestamp > record.timestamp - size
    ]
    return record.key or b"", record.timestamp, tuple(inside), final
