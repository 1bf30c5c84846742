"""Witnesses: topics in which stands what became of records, since joins and agents write it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from faust.types import TP

from streamapp.joins import Reason, SideOutput
from streamapp.kafka.log_reader import Log, Logged, Scan
from streamapp.kafka.partitioner import partition_of

__all__ = ["Evidence", "Match", "Testimony", "Witness", "dead_letters", "search", "side_output"]


class Match(NamedTuple):
    """That a record joined, and the places of the records that it joined, as far as they are told."""

    partners: Sequence[tuple[TP, int]] = ()


#: What a witness tells of a record.
Evidence = SideOutput | Match


class Witness(NamedTuple):
    """A topic that tells what became of records."""

    topic: str
    #: Why records are there that did not join; none = it has those that joined.
    reasons: frozenset[Reason]
    #: Makes of a record of the topic what it tells of a record of the input; None = nothing.
    read: Callable[[Logged, Logged], Evidence | None]
    #: Whether it has the record in the partition of its key; otherwise in that of the same number, if it has as many.
    by_key: bool = False

    def partition(self, log: Log, record: Logged) -> TP | None:
        """Give the partition that tells of a record, if it tells; None = there is no such topic."""
        count = log.partitions(self.topic)
        if not count:
            return None
        if self.by_key or count != log.partitions(record.tp.topic):
            return TP(self.topic, partition_of(record.key, count))
        return TP(self.topic, record.tp.partition)


class Testimony(NamedTuple):
    """What was found, where, and whether the search came to an end."""

    evidence: Evidence | None
    found: Logged | None
    complete: bool


def search(log: Log, witnesses: Iterable[Witness], record: Logged) -> Testimony:
    """Ask witnesses for a record of the input: their records that are not older are read until one tells of it.

    Raises:
        LogError: if the broker does not answer.
    """
    complete = True
    for witness in witnesses:
        tp = witness.partition(log, record)
        scan = Scan(log, record.tp, None) if tp is None else log.since(tp, record.timestamp)
        for found in scan:
            if (evidence := witness.read(found, record)) is not None:
                return Testimony(evidence, found, complete=True)
        complete = complete and scan.complete
    return Testimony(None, None, complete)


def side_output(topic: str, reasons: Iterable[Reason]) -> Witness:
    """Make a witness of a topic for side outputs."""
    return Witness(topic, frozenset(reasons), _told)


def dead_letters(topic: str) -> Witness:
    """Make a witness of the topic of the dead letters."""
    return Witness(topic, frozenset({Reason.REFUSED}), _rejected, by_key=True)


def _told(found: Logged, record: Logged) -> Evidence | None:
    headers = _headers_of(found, record)
    if headers is None or (reason := headers.get("reason", b"").decode()) not in set(Reason):
        return None
    late_by, detail = int(headers.get("late_by_ms", 0)), headers.get("detail", b"").decode()
    return SideOutput(Reason(reason), 0, record, late_by, detail)


def _rejected(found: Logged, record: Logged) -> Evidence | None:
    headers = _headers_of(found, record)
    if headers is None:
        return None
    reason, error = (headers.get(name, b"").decode(errors="replace") for name in ("reason", "error"))
    return SideOutput(Reason.REFUSED, 0, record, detail=f"{reason}: {error}")


def _headers_of(found: Logged, record: Logged) -> Mapping[str, bytes] | None:
    """Give the headers of a record that stands for one of the input; None = it does not."""
    if (found.timestamp, found.key) != (record.timestamp, record.key):
        return None
    headers, (topic, partition) = found.named, record.tp
    place = topic.encode(), b"%d" % partition, b"%d" % record.offset
    return headers if place == tuple(headers.get(name) for name in ("topic", "partition", "offset")) else None
