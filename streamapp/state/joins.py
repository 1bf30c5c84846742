"""What joins hold for a key, as JSON has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

import msgspec

from streamapp.joins import Held, Holding
from streamapp.joins.held import version_at
from streamapp.joins.windowed_reduce import WindowedReduceOperator
from streamapp.state.rows import NO_VALUE, ShownKey, shown_key, shown_value
from streamapp.state.tables import At, Kind
from streamapp.topology import WindowProcessor
from streamapp.topology.base import JoiningApp
from streamapp.topology.processor import JoinProcessor

__all__ = ["HeldByKey", "JoinState", "JoinTable", "ShownHeld", "Span", "held_for", "versioned"]


class JoinTable(msgspec.Struct, frozen=True):
    """A table that a join has the rows of."""

    topic: str
    #: The table by whose name they are asked for; null = they are in the state of the join, as `versioned` says.
    table: str | None
    versioned: bool


class JoinState(msgspec.Struct, frozen=True, kw_only=True):
    """A join, windows or a function of the app."""

    name: str
    kind: Kind
    #: The topics that it reads, by the number of the source.
    topics: list[str]
    tables: list[JoinTable]

    @classmethod
    def of(cls, join: JoinProcessor[object]) -> JoinState:
        """Return that of a join."""
        past = versioned(join)
        tables = [
            JoinTable(
                each.topic,
                join.row_tables[each.source].name if each.source in join.row_tables else None,
                each.source in past,
            )
            for each in join.inputs
            if each.source in join.join.tables
        ]
        return cls(name=join.name, kind=Kind(join.noun), topics=[each.topic for each in join.inputs], tables=tables)


class ShownHeld(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record or a row that is held."""

    source: int
    topic: str
    holding: Holding
    #: The event time (ms); of rows that from which on they are so, of timers that for which they are set; -1 = that is
    #: not known.
    time: int
    #: The JSON that it is; null if it is none, if it was deleted then, or if it is elsewhere: that of a left row of a
    #: foreign-key join is with the right row which it names, in the join's right half (NAME-right).
    value: msgspec.Raw
    value_base64: str | None = None
    #: The place in the partition of the topic; -1 = not known.
    offset: int = -1
    #: The event time (ms) at which the clock ends that.
    until: int | None = None
    #: The key of the right row that a left row of a foreign-key join names.
    names: ShownKey | None = None
    #: Whose it is, of left rows that are held for the right one which they name.
    key: ShownKey | None = None


class HeldByKey(ShownKey, frozen=True, kw_only=True, omit_defaults=False):
    """What a join holds for a key."""

    join: str
    kind: Kind
    #: By source and time; null = what it holds is not told by key.
    held: list[ShownHeld] | None
    #: The results that the open windows have so far; null = there are no windows.
    windows: list[msgspec.Raw] | None
    at: At

    @property
    def anything(self) -> bool:
        """Whether it holds anything for the key."""
        return bool(self.held or self.windows)


class _Reduced(msgspec.Struct, frozen=True):
    """What an open window is reduced to so far."""

    start: int
    end: int
    value: object


#: Values may be of any types that their owner gives results other forms of.
_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode


class Span(msgspec.Struct, frozen=True):
    """Event times (ms) that are asked for: from the first one up to the second one, which is not in it."""

    start: int | None = None
    stop: int | None = None

    def has(self, first: int, last: int) -> bool:
        """Return whether one of these times is asked for."""
        return (self.start is None or last >= self.start) and (self.stop is None or first < self.stop)


def versioned(join: JoinProcessor[object]) -> frozenset[int]:
    """Return the sources of which the past rows are kept."""
    return join.join.tables - join.join.plain


def held_for(join: JoinProcessor[object], key: bytes, span: Span, as_of: int | None, at: At) -> HeldByKey:
    """Return what a join holds for a key in the partition that was looked at; a KeyError if that is not here.

    Args:
        join: that is asked.
        key: of the records.
        span: of the times of records, and of windows which have a part in it.
        as_of: an event time (ms): then only the rows of versioned tables that a record of it would have joined.
        at: where it is read.
    """
    held = join.held(at.partition, key)
    if held is not None and as_of is not None:
        past = versioned(join)
        held = version_at([one for one in held if one.source in past], as_of)
    windows = None
    if isinstance(join, WindowProcessor):
        found = [one for one in join.open_windows(at.partition, key) if span.has(one.start, one.end - 1)]
        windows = [msgspec.Raw(join.shown(one)) for one in found]
    elif isinstance(operator := join.operator(at.partition), WindowedReduceOperator):
        reduced = (one for one in operator.windows(key) if span.has(one.start, one.end - 1))
        windows = [msgspec.Raw(_encode(_Reduced(one.start, one.end, one.value))) for one in reduced]
    name, key_base64 = shown_key(key)
    # What waits for features is a copy, with the place of its record.
    derived = cast(JoiningApp, join.app).derived
    topics = {each.source: derived.get(each.topic, each.topic) for each in join.inputs}
    return HeldByKey(
        key=name,
        key_base64=key_base64,
        join=join.name,
        kind=Kind(join.noun),
        held=None if held is None else list(_shown(held, span, topics)),
        windows=windows,
        at=at,
    )


def _shown(held: Sequence[Held], span: Span, topics: Mapping[int, str]) -> Iterable[ShownHeld]:
    for one in held:
        if span.has(one.timestamp, one.timestamp):
            value, value_base64, _ = (NO_VALUE, None, None) if one.value is None else shown_value(one.value)
            yield ShownHeld(
                source=one.source,
                topic=topics[one.source],
                holding=one.holding,
                time=one.timestamp,
                value=value,
                value_base64=value_base64,
                offset=one.offset,
                until=one.until,
                names=_key(one.names),
                key=_key(one.key),
            )


def _key(key: bytes | None) -> ShownKey | None:
    return None if key is None else ShownKey(*shown_key(key))
