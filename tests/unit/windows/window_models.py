"""Plain models of windows: what the contract says, without a thought for cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from streamapp.joins import Driver, Event, MemoryStore, Reason, Record, Store
from streamapp.windows import Emission, Sessions, TimeWindows, Windowed, WindowedAggregate, Windows
from streamapp.windows.count import Count
from streamapp.windows.order import Collect

#: An offset, a key, a value and a time.
Arrival = Event
KEYS = (b"a", b"b")


class Told(NamedTuple):
    """What a model says: results, and the offsets of records that are late, partly late and rejected."""

    results: list[Windowed]
    late: list[int]
    partly_late: list[int]
    rejected: list[int]


def arrivals(size: int = 60, times: int = 150) -> st.SearchStrategy[list[Arrival]]:
    """Records of two keys, some without a key or a value; their values are their offsets."""
    record = st.tuples(st.sampled_from((*KEYS, *KEYS, None)), st.integers(0, 9), st.integers(0, times))
    return st.lists(record, max_size=size).map(
        lambda records: [
            Event(key, None if valued == 0 else b"%d" % offset, time, offset)
            for offset, (key, valued, time) in enumerate(records)
        ]
    )


GRACES = st.integers(0, 40)
SESSIONS = st.integers(0, 30).map(Sessions)


@st.composite
def time_windows(draw: st.DrawFn) -> TimeWindows:
    size = draw(st.integers(1, 40))
    advance = draw(st.integers(max(1, size // 4), size))
    return TimeWindows(size, advance, draw(st.integers(0, advance - 1)))


def offset_of(record: Record) -> tuple[None, int]:
    return None, int(record.value or b"")


def aggregated(windows: Windows, grace: int, emission: str = "final", every: int | None = None) -> WindowedAggregate:
    """Count the records of each window, and collect their offsets in the order of their times."""
    return WindowedAggregate(
        windows=windows,
        aggregates={"n": Count(), "offsets": Collect("offset")},
        grace=grace,
        emission=Emission(emission),
        every=every,
        fields=offset_of,
    )


def run(
    join: WindowedAggregate, records: Sequence[Arrival], cuts: Iterable[int], store: Store | None = None
) -> Driver[Any]:
    """Send records in batches that end at some places, with a restart after each."""
    driver = Driver(join, store or MemoryStore())
    begin = 0
    for end in (*sorted({cut for cut in cuts if cut < len(records)}), len(records)):
        driver.process([(0, record) for record in records[begin:end]])
        driver.restart()
        begin = end
    return driver


def told(driver: Driver[Any]) -> Told:
    """Return what came out of a driver as models have it."""
    offsets: dict[bool | Reason, list[int]] = {True: [], Reason.LATE: [], Reason.PARTLY_LATE: []}
    for one in driver.side_outputs:
        offsets[one.rejected or one.reason].append(one.record.offset)
    return Told(driver.results, offsets[Reason.LATE], offsets[Reason.PARTLY_LATE], offsets[True])


def result(key: bytes, start: int, end: int, members: Sequence[Arrival], *, final: bool) -> Windowed:
    ordered = sorted(members, key=lambda one: (one.timestamp, one.offset))
    values = len(ordered), [one.offset for one in ordered]
    return Windowed(key, start, end, values, ordered[-1].timestamp, final)


def holding(windows: TimeWindows, time: int) -> list[tuple[int, int]]:
    """Find the windows that hold a time by looking at all of them."""
    numbers = range(-windows.size // windows.advance - 2, time // windows.advance + 2)
    every = [windows.offset + number * windows.advance for number in numbers]
    found = [(start, start + windows.size) for start in every if start <= time < start + windows.size]
    return [window for window in found if window[0] >= 0] or found[-1:]


class TimeModel:
    """Tumbling and hopping windows: all that counts is kept in a list, and looked through for each input."""

    def __init__(self, windows: TimeWindows, grace: int, emission: Emission) -> None:
        self.windows, self.grace, self.emission = windows, grace, emission

    def run(self, records: Iterable[Arrival]) -> Told:
        said = Told([], [], [], [])
        clock = -1
        members: dict[tuple[int, int, bytes], list[Arrival]] = {}
        for record in records:
            if record.key is None or record.value is None:
                said.rejected.append(record.offset)
                continue
            clock = max(clock, record.timestamp)
            windows = holding(self.windows, record.timestamp)
            opened = [window for window in windows if window[1] + self.grace > clock]
            if not opened:
                said.late.append(record.offset)
            elif len(opened) < len(windows):
                said.partly_late.append(record.offset)
            for start, end in opened:
                here = members.setdefault((end, start, record.key), [])
                here.append(record)
                if self.emission.updates:
                    said.results.append(result(record.key, start, end, here, final=False))
            for end, start, key in sorted(members):
                if end + self.grace <= clock:
                    here = members.pop((end, start, key))
                    if self.emission.final:
                        said.results.append(result(key, start, end, here, final=True))
        return said


class SessionModel:
    """Sessions: the open ones are kept in a list, and looked through for each input."""

    def __init__(self, sessions: Sessions, grace: int, emission: Emission) -> None:
        self.gap, self.grace, self.emission = sessions.gap, grace, emission

    def run(self, records: Iterable[Arrival]) -> Told:
        said = Told([], [], [], [])
        clock = -1
        opened: list[list[Arrival]] = []
        for record in records:
            if record.key is None or record.value is None:
                said.rejected.append(record.offset)
                continue
            clock = max(clock, record.timestamp)
            near = [one for one in opened if one[0].key == record.key and self.is_near(one, record.timestamp)]
            if not near and record.timestamp + self.gap + self.grace < clock:
                said.late.append(record.offset)
            else:
                made = [*(member for one in near for member in one), record]
                if self.emission.updates:
                    self.update(said, near, made)
                opened = [one for one in opened if one not in near] + [made]
            closed = [one for one in opened if bounds(one)[1] + self.gap + self.grace < clock]
            opened = [one for one in opened if one not in closed]
            if self.emission.final:
                for one in sorted(closed, key=lambda one: (bounds(one)[1], bounds(one)[0], one[0].key)):
                    said.results.append(result(one[0].key or b"", *bounds(one), one, final=True))
        return said

    def is_near(self, one: list[Arrival], time: int) -> bool:
        start, end = bounds(one)
        return start - self.gap <= time <= end + self.gap

    @staticmethod
    def update(said: Told, near: list[list[Arrival]], made: list[Arrival]) -> None:
        key = made[-1].key or b""
        for start, end in sorted(bounds(one) for one in near):
            if (start, end) != bounds(made):
                said.results.append(Windowed(key, start, end, None, end, False))
        said.results.append(result(key, *bounds(made), made, final=False))


def bounds(one: list[Arrival]) -> tuple[int, int]:
    times = [record.timestamp for record in one]
    return min(times), max(times)
