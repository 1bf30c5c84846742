"""What is aggregated in windows: transactions of IP addresses, and what pandas makes of them."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import functools
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import orjson
import pandas as pd

from benchmarks.workload import Input, Output, Record

__all__ = ["DISORDER", "GAP", "GRACE", "SIZE", "SPAN", "Kind", "Windows"]

#: The length of a window, the gap that ends a session, and how late a transaction may be (ms).
SIZE: Final = 60_000
GAP: Final = 10_000
GRACE: Final = 10_000
#: How far (ms) transactions are behind those before them, at most: none is late.
DISORDER: Final = 5_000
#: Event time (ms) of all transactions.
SPAN: Final = 600_000
#: After so much more (ms) each address has one transaction, which closes all windows before it; its own stays open.
SILENCE: Final = 2 * SIZE
VALUE: Final = b'{"transaction_id":"t%d","ip":"%b","account":"a%d","amount":%d.%02d,"currency":"NZD","time":%d}'


class Kind(enum.StrEnum):
    """What a transaction is aggregated with."""

    TUMBLING = "tumbling"
    SESSION = "session"
    LOOK_BACK = "look_back"
    #: Each transaction comes out with the count, at once.
    ENRICH = "enrich"


@dataclasses.dataclass(frozen=True)
class Windows:
    """Transactions whose addresses and event times are drawn at random, counted and summed up by address and window.

    Args:
        keys: addresses.
        transactions: to aggregate; then comes one more for each address.
        kind: of the windows.
        begin: the earliest event time (ms), a full minute.
        partitions: of all topics.
    """

    keys: int
    transactions: int
    kind: Kind
    begin: int
    partitions: int = 4

    @classmethod
    def now(cls, keys: int, transactions: int) -> list[Windows]:
        """Return the same transactions for each kind of windows; all are over by now."""
        begin = int(time.time() * 1000) // SIZE * SIZE - SPAN - 2 * SILENCE
        return [cls(keys, transactions, kind, begin) for kind in Kind]

    def part(self, share: int) -> Windows:
        """Return a load of so many times fewer transactions."""
        return dataclasses.replace(self, transactions=self.transactions // share)

    @property
    def prefix(self) -> str:
        """A prefix for its topics, which no other load has."""
        return f"{self.kind}-k{self.keys}-t{self.transactions}-p{self.partitions}."

    @property
    def span(self) -> int:
        """Event time (ms) of all transactions."""
        return SPAN + SILENCE

    @property
    def records(self) -> int:
        """All transactions, also those that only close windows."""
        return self.transactions + self.keys

    @property
    def results(self) -> int:
        """How many final results there are."""
        return len(self._expected.numbers)

    @property
    def lead(self) -> float:
        """The share of the transactions that are read before the first window of a partition closes."""
        earliest = {Kind.TUMBLING: SIZE + GRACE, Kind.SESSION: GAP + GRACE, Kind.LOOK_BACK: GRACE, Kind.ENRICH: 0}
        return earliest[self.kind] / SPAN

    def inputs(self, start: int) -> Mapping[str, Input]:
        """Return the transactions in the order in which they arrive; they begin at `begin`, wherever `start` is."""
        return {"transactions": Input(self.records, self._stream())}

    def _stream(self) -> Iterator[Record]:
        drawn = _drawn(self.keys, self.transactions)
        last = ((key, self.span, 100) for key in range(self.keys))
        for number, (key, at, cents) in enumerate((*zip(*drawn, strict=True), *last)):
            address = _address(key)
            parts = (number, address, number * 7919 % 100_000, *divmod(cents, 100), self.begin + at)
            yield address, VALUE % parts, self.begin + at

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Return the number of the window, if its bounds are right, and its count and sum as pandas finds them."""
        expected = self._expected
        try:
            found = orjson.loads(value or b"")
            if self.kind is Kind.ENRICH:
                found |= {"start": found["time"] - SIZE, "end": found["time"], "total": found["amount"]}
            number = expected.numbers[key or b"", found["start"] - self.begin]
            right = (
                found["end"] - self.begin == expected.ends[number]
                and found["n"] == expected.counts[number]
                and abs(found["total"] - expected.sums[number]) < 1e-6
            )
        except (ValueError, TypeError, KeyError):
            return None
        return number if right else None

    def settled(self, output: Iterable[Output]) -> Iterable[Output]:
        """Return the last record of each window, of an output in which windows have results again and again.

        Records that take back one before them (Pathway's ``diff`` of -1), or that are of the windows which stay open,
        are left out.
        """
        last: dict[object, Output] = {}
        for key, value in output:
            found = orjson.loads(value or b"{}")
            if found.get("diff", 1) == 1 and found.get("start", 0) < self.begin + SPAN:
                last[key, found.get("start")] = key, value
        return last.values()

    @property
    def _expected(self) -> _Expected:
        return _expected(self.keys, self.transactions, self.kind)


class _Expected(NamedTuple):
    """The final results: their numbers by address and start, and what is to be there by number (times from 0)."""

    numbers: Mapping[tuple[bytes, int], int]
    ends: Sequence[int]
    counts: Sequence[int]
    sums: Sequence[float]


@functools.lru_cache(maxsize=1)
def _drawn(keys: int, transactions: int) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Draw address, time (from 0) and amount (cents) of each transaction; those of an address differ in time."""
    rng = random.Random(7)
    drawn = [rng.randrange(keys) for _ in range(transactions)]
    times: dict[tuple[int, int], None] = {}
    for number, key in enumerate(drawn):
        while len(times) == number:
            times[key, number * (SPAN - DISORDER) // transactions + rng.randrange(DISORDER)] = None
    return drawn, [at for _, at in times], [rng.randrange(1, 100_000) for _ in range(transactions)]


@functools.lru_cache(maxsize=1)
def _expected(keys: int, transactions: int, kind: Kind) -> _Expected:
    """Let pandas aggregate the transactions."""
    drawn = [*zip(*_drawn(keys, transactions), strict=True)]
    if kind is Kind.ENRICH:
        drawn += [(key, SPAN + SILENCE, 100) for key in range(keys)]
    frame = pd.DataFrame(drawn, columns=["key", "at", "cents"])
    if kind is not Kind.ENRICH:
        frame = frame.sort_values(["key", "at"], ignore_index=True)
    frame["amount"] = frame["cents"] / 100
    frame["time"] = pd.to_datetime(frame["at"], unit="ms")
    match kind:
        case Kind.TUMBLING:
            windows = frame.groupby(["key", pd.Grouper(key="time", freq=f"{SIZE}ms")])["amount"].agg(["count", "sum"])
            found = windows.reset_index()
            found["start"] = (found["time"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
            found["end"] = found["start"] + SIZE
        case Kind.SESSION:
            begins = (frame["key"].diff() != 0) | (frame["at"].diff() > GAP)
            found = frame.groupby(begins.cumsum()).agg(
                key=("key", "first"),
                start=("at", "first"),
                end=("at", "last"),
                count=("amount", "count"),
                sum=("amount", "sum"),
            )
        case Kind.LOOK_BACK:
            rolling = frame.groupby("key").rolling(f"{SIZE}ms", on="time", closed="right")["amount"]
            found = frame.assign(end=frame["at"], start=frame["at"] - SIZE)
            found["count"], found["sum"] = rolling.count().astype(int).to_numpy(), rolling.sum().to_numpy()
        case Kind.ENRICH:
            found = frame.assign(
                end=frame["at"], start=frame["at"] - SIZE, count=_as_they_came(frame), sum=frame["amount"]
            )
    keys_of, starts = (found[name].tolist() for name in ("key", "start"))
    return _Expected(
        {(_address(key), start): number for number, (key, start) in enumerate(zip(keys_of, starts, strict=True))},
        *(found[name].tolist() for name in ("end", "count", "sum")),
    )


def _as_they_came(frame: pd.DataFrame) -> list[int]:
    """Count for each transaction those of its address in the minute that ends with it, of those that came by then."""
    times: defaultdict[int, list[int]] = defaultdict(list)
    counts = []
    for key, at in zip(frame["key"].tolist(), frame["at"].tolist(), strict=True):
        before = times[key]
        bisect.insort(before, at)
        counts.append(bisect.bisect_right(before, at) - bisect.bisect_right(before, at - SIZE))
    return counts


def _address(key: int) -> bytes:
    return b"10.%d.%d.%d" % (key >> 16, key >> 8 & 255, key & 255)
