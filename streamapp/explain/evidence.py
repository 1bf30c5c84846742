"""Evidence: what became of records, as joins and agents write it to topics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from faust.types import TP

from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Reason, SideOutput
from streamapp.kafka.log_reader import Log, Logged
from streamapp.kafka.partitioner import partition_of

__all__ = ["Evidence", "EvidenceTopic", "Match", "SearchResult", "dead_letters", "search", "side_output"]


class Match(NamedTuple):
    """That a record gave a result, and the places of the records that it joined, as far as they are named."""

    partners: Sequence[tuple[TP, int]] = ()
    #: Of a result that is a decision, which that is, and why; none = it says nothing more.
    decision: str = ""


#: What a record of such a topic says of a record of the input.
Evidence = SideOutput | Match


class EvidenceTopic(NamedTuple):
    """A topic with what became of the records of a join: its results, a side output, the dead letters."""

    topic: str
    #: For which reasons records are in it that did not join; none = it has those that joined.
    reasons: frozenset[Reason]
    #: Returns what a record of the topic, the first argument, says of one of the input; None = nothing.
    read: Callable[[Logged, Logged], Evidence | None]
    #: Whether it has the record in the partition of its key; otherwise in that of the same number, if it has as many.
    by_key: bool = False
    #: Makes of a record's key that of what the topic has of it, by which that is placed unless it is as it came; raises
    #: `Undecodable`. None = it is the same key.
    written: Callable[[bytes], bytes] | None = None


class SearchResult(NamedTuple):
    """What was found, in which record, and whether the search came to an end."""

    evidence: Evidence | None
    found: Logged | None
    complete: bool


def search(log: Log, topics: Iterable[EvidenceTopic], record: Logged) -> SearchResult:
    """Look through topics, from a record's time on, for what became of it; a LogError if the broker does not answer."""
    complete = True
    for topic in topics:
        for number in _partitions(log, topic, record):
            scan = log.since(TP(topic.topic, number), record.timestamp)
            for found in scan:
                if (evidence := topic.read(found, record)) is not None:
                    return SearchResult(evidence, found, complete=True)
            complete = complete and scan.complete
    return SearchResult(None, None, complete)


def _partitions(log: Log, evidence: EvidenceTopic, record: Logged) -> Sequence[int]:
    """Return the partitions in which a topic may have what became of a record; none, if there is no such topic."""
    count = log.partitions(evidence.topic)
    if not count:
        return ()
    by_key = evidence.by_key or count != log.partitions(record.tp.topic)
    found = [partition_of(record.key, count) if by_key else record.tp.partition]
    if evidence.written is not None and record.key is not None:
        with contextlib.suppress(Undecodable):
            found.append(partition_of(evidence.written(record.key), count))
    return list(dict.fromkeys(found))


def side_output(topic: str, reasons: Iterable[Reason]) -> EvidenceTopic:
    """Return a topic for side outputs as evidence."""
    return EvidenceTopic(topic, frozenset(reasons), _side_output)


def dead_letters(topic: str) -> EvidenceTopic:
    """Return the topic of the dead letters as evidence."""
    return EvidenceTopic(topic, frozenset({Reason.REFUSED}), _dead_letter, by_key=True)


def _side_output(found: Logged, record: Logged) -> Evidence | None:
    headers = _headers_of(found, record)
    if headers is None or (reason := headers.get("reason", b"").decode()) not in set(Reason):
        return None
    late_by, detail = int(headers.get("late_by_ms", 0)), headers.get("detail", b"").decode()
    return SideOutput(Reason(reason), 0, record, late_by, detail)


def _dead_letter(found: Logged, record: Logged) -> Evidence | None:
    headers = _headers_of(found, record)
    if headers is None:
        return None
    reason, error = (headers.get(name, b"").decode(errors="replace") for name in ("reason", "error"))
    return SideOutput(Reason.REFUSED, 0, record, detail=f"{reason}: {error}")


def _headers_of(found: Logged, record: Logged) -> Mapping[str, bytes] | None:
    """Return the headers of what was found if they name the record of the input."""
    if found.timestamp != record.timestamp:
        return None
    headers, (topic, partition) = found.named, record.tp
    place = topic.encode(), b"%d" % partition, b"%d" % record.offset
    return headers if place == tuple(headers.get(name) for name in ("topic", "partition", "offset")) else None
