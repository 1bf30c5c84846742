"""Logs of partitions in memory, as what explains a record reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from faust.types import TP

from streamapp.kafka.log_reader import Log, Logged, MissingError, Scan

NONE: Mapping[str, str] = MappingProxyType({})


class Headers(NamedTuple):
    """What of a message is read once its record is found."""

    given: Mapping[str, str]

    def headers(self) -> list[tuple[str, bytes]]:
        return [(name, value.encode()) for name, value in self.given.items()]


class FakeScan(Scan):
    def __init__(self, records: Sequence[Logged]) -> None:
        self._records = records
        self.complete = False

    def __iter__(self) -> Iterator[Logged]:
        yield from self._records
        self.complete = True


class FakeLog(Log):
    """Topics, each with so many partitions, to which records are added."""

    def __init__(self, **partitions: int) -> None:
        self.records: dict[TP, list[Logged]] = {
            TP(topic, number): [] for topic, count in partitions.items() for number in range(count)
        }

    def add(
        self, topic: str, key: str | bytes, timestamp: int, *, partition: int = 0, headers: Mapping[str, str] = NONE
    ) -> Logged:
        tp = TP(topic, partition)
        read = self.records[tp]
        message: Any = Headers(headers)
        read.append(Logged(tp, len(read), timestamp, key if isinstance(key, bytes) else key.encode(), b"{}", message))
        return read[-1]

    def tell(self, topic: str, record: Logged, *, partition: int = 0, **headers: str) -> Logged:
        """Add what a join writes of a record to a side output, or to the dead letters."""
        place = {"topic": record.tp.topic, "partition": str(record.tp.partition), "offset": str(record.offset)}
        key = (record.key or b"").decode()
        return self.add(topic, key, record.timestamp, partition=partition, headers={**place, **headers})

    def __exit__(self, *_: object) -> None:
        pass

    def partitions(self, topic: str) -> int:
        return sum(tp.topic == topic for tp in self.records)

    def record(self, tp: TP, offset: int) -> Logged:
        if offset >= len(self.records[tp]):
            raise MissingError(f"{tp.topic}[{tp.partition}] has no offset {offset}")
        return self.records[tp][offset]

    def since(self, tp: TP, timestamp: int, *, back: int = 0) -> Scan:
        read = self.records[tp]
        at = next((number for number, record in enumerate(read) if record.timestamp >= timestamp), len(read))
        return FakeScan(read[max(0, at - back) :])
