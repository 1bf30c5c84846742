"""Which records of a topic are shown: the newest, or those from a place on, as far as they are meant."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from streamapp.browse.shown import Decoding, Shown, shown
from streamapp.conditions import Condition, Seen
from streamapp.errors import StreamappError
from streamapp.kafka.admin import Cluster
from streamapp.kafka.log_reader import Log, Logged
from streamapp.kafka.partition import TP
from streamapp.misspelt import meant
from streamapp.reset.where import Kind, Where
from streamapp.settings import Settings

__all__ = ["Chosen", "Reading", "Selection", "partitions_of"]

#: How many times as far back each further look for the newest records goes.
FURTHER: Final = 4

_json: Final = msgspec.json.Decoder().decode


class BrowseError(StreamappError):
    """A topic, or a part of it, that is not there; the text is one line."""


def partitions_of(settings: Settings, topic: str, wanted: Sequence[int] = ()) -> list[TP]:
    """Return the partitions of a topic, by its full name or that without the prefix; or those that are wanted of them.

    Raises:
        StreamappError: if there is no such topic or partition; names those that may be meant.
    """
    existing = Cluster(settings).listed([])
    if (name := settings.known_topic(topic, existing)) is None:
        near = " or ".join(meant(topic, [name for name in existing if not name.startswith("__")]))
        hint = f"; did you mean {near}?" if near else ""
        raise BrowseError(f"there is no topic {topic} at {settings.broker}{hint}")
    if lacking := [number for number in wanted if number >= existing[name]]:
        raise BrowseError(f"{name} has no partition {lacking[0]}, but 0 to {existing[name] - 1}")
    return [TP(name, number) for number in sorted(wanted or range(existing[name]))]


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which records are meant.

    Args:
        key: as it is shown: text, or the JSON of one that is none; None = any.
        where: of the value, the key and the time.
        until: event time (ms) that they are before; None = any.
    """

    key: str | None = None
    where: Condition | None = None
    until: int | None = None


class Chosen(NamedTuple):
    """A record that is meant, with its time (ms)."""

    timestamp: int
    shown: Shown


class Reading:
    """Goes through partitions of a topic."""

    def __init__(self, log: Log, tps: Sequence[TP], decoding: Decoding, selection: Selection) -> None:
        self._log, self._tps = log, tps
        self._decoding, self._selection = decoding, selection
        #: Where the records after those that were gone through begin.
        self.next: dict[TP, int] = {}

    def newest(self, count: int) -> list[Chosen]:
        """Return the newest records that are meant, in the order of their times.

        Partitions are read from their ends: so far back, and further, until there are enough or no more.
        """
        bounds = self._log.bounds(self._tps)
        self.next = {tp: end for tp, (_, end) in bounds.items()}
        found: dict[TP, list[Chosen]] = {tp: [] for tp in self._tps}
        back, ends = count, dict(self.next)
        while ends:
            ranges = {tp: (max(bounds[tp][0], end - back), end) for tp, end in ends.items()}
            read: dict[TP, list[Chosen]] = {tp: [] for tp in ranges}
            for record in self._log.between(ranges):
                if (chosen := self._chosen(record)) is not None:
                    read[record.tp].append(chosen)
            for tp, (begin, _) in ranges.items():
                found[tp] = [*read[tp], *found[tp]]
                if begin <= bounds[tp][0] or len(found[tp]) >= count:
                    del ends[tp]
                else:
                    ends[tp] = begin
            back *= FURTHER
        newest = heapq.nlargest(count, (one for some in found.values() for one in some[-count:]), key=_time)
        return sorted(newest, key=_time)

    def since(self, where: Where) -> Iterator[Chosen]:
        """Go through the records that are meant from a place up to where the partitions end by now, as they come."""
        for record in self._since(where):
            if (chosen := self._chosen(record)) is not None:
                yield chosen

    def count(self, where: Where, most: int | None = None) -> int:
        """Return how many of these there are, or the `most`; what nothing was asked of is not decoded."""
        wanted, records = self._selection, self._since(where)
        if wanted.key is None and wanted.where is None:
            meant = (True for record in records if wanted.until is None or record.timestamp < wanted.until)
        else:
            meant = (True for record in records if self._chosen(record) is not None)
        return sum(itertools.islice(meant, most))

    def _since(self, where: Where) -> Iterator[Logged]:
        """Go through the records from a place up to where the partitions end by now."""
        bounds = self._log.bounds(self._tps)
        self.next = {tp: end for tp, (_, end) in bounds.items()}
        match where.kind:
            case Kind.BEGINNING:
                begins = {tp: begin for tp, (begin, _) in bounds.items()}
            case Kind.NOW:
                begins = dict(self.next)
            case Kind.OFFSET:
                begins = {tp: max(where.value, begin) for tp, (begin, _) in bounds.items()}
            case Kind.TIME:
                found = self._log.at_time(self._tps, where.value)
                begins = {tp: end if (at := found.get(tp)) is None else at for tp, end in self.next.items()}
        yield from self._log.between({tp: (begins[tp], end) for tp, end in self.next.items()})

    def following(self) -> Iterator[Chosen | None]:
        """Go through the records after those, as they are written, without end; None = there is no more by now."""
        for record in self._log.following(self.next):
            if record is None:
                yield None
            elif (chosen := self._chosen(record)) is not None:
                yield chosen

    def _chosen(self, record: Logged) -> Chosen | None:
        wanted, headers = self._selection, record.headers
        if wanted.until is not None and record.timestamp >= wanted.until:
            return None
        key = self._decoding.key(record.key, headers)
        texts = _texts(key.json)
        if wanted.key is not None and wanted.key not in texts:
            return None
        value = self._decoding.value(record.value, headers)
        if wanted.where is not None and not wanted.where(Seen(texts[-1], record.timestamp, _json(value.json))):
            return None
        return Chosen(record.timestamp, shown(record, key, value))


def _texts(key: msgspec.Raw) -> tuple[str, ...]:
    """Return how a key may be written: as its JSON, and if that is a text, as that."""
    written, decoded = bytes(key).decode(), _json(key)
    if isinstance(decoded, dict) and decoded.keys() == {"base64"}:
        return written, str(decoded["base64"])
    return (written, decoded) if isinstance(decoded, str) else (written,)


def _time(chosen: Chosen) -> tuple[int, int]:
    """Return by what records go: of one time, those that were written later are newer."""
    return chosen.timestamp, chosen.shown.offset
