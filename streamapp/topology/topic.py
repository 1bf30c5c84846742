"""Topics that can be joined, as streams or as tables."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import faust

from streamapp.formats.fields import Field
from streamapp.formats.serde import Read, Serde
from streamapp.joins import (
    AsOfJoin,
    Direction,
    Enriched,
    How,
    Join,
    Joined,
    NWayJoin,
    StreamStreamJoin,
    StreamTableJoin,
    WindowedReduce,
    WindowedValue,
)
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.inputs import Input
from streamapp.topology.base import JoiningApp
from streamapp.topology.declaration import (
    Duration,
    JoinDeclaration,
    OperatorDeclaration,
    checked,
    declare,
    milliseconds,
    named,
    one_of,
    timeout,
)
from streamapp.topology.enriching import EnrichedStream
from streamapp.topology.features import BY_KEY, Usable, grouped
from streamapp.topology.global_table import GlobalJoin, TopicGlobalTable
from streamapp.topology.processor import JoinError
from streamapp.topology.repartition import KeyOf as RecordKey
from streamapp.topology.repartition import repartition
from streamapp.topology.steps import Steps
from streamapp.topology.topic_table import TopicTable
from streamapp.topology.windowing import WindowedStream
from streamapp.windows.aggregate import Held
from streamapp.windows.emission import Emission

if TYPE_CHECKING:
    from streamapp.joins import Record
    from streamapp.joins.stream_table import KeyOf
    from streamapp.windows.aggregate import Aggregate
    from streamapp.windows.windowed_aggregate import Windows

__all__ = ["Topic"]

A = TypeVar("A")
K = TypeVar("K", bound=enum.StrEnum)
R = TypeVar("R")


class Topic(Steps, faust.Topic):
    """A Faust topic whose records, as a stream or as a table, can be joined with those of others.

    A join needs topics with equally many partitions, whose keys are partitioned alike.
    """

    app: JoiningApp
    #: Raises `Refused` for a record that cannot be used in a join; None = all can.
    check: Callable[[Record], None] | None = None
    #: Tells of many records which ones `check` has to look at, sooner than it does one by one; None = at all.
    doubtful: Callable[[Sequence[Record]], Collection[int]] | None = None
    #: The field of the values that the keys are, as far as that is known.
    keyed_by: str = ""

    def source(self, number: int) -> Input:
        """Take the topic for the source of a join with this number; streams that are merged go through one."""
        if not self._ways:
            if self.serde is None:
                return Input(self.name, number, self.check, key=self.keyed_by, doubtful=self.doubtful)
            keys = self.app.declared.keys(self.name)
            return Input(self.name, number, steps=Read(self.serde, self.check), key=self.keyed_by, keys=keys)
        found = self._inputs(encoded=True) if len(self._ways) == 1 else [self.through().source(number)]
        return found[0]._replace(source=number)

    @property
    def name(self) -> str:
        """The full name; what is joined has one."""
        (name,) = self.topics
        return name

    @property
    def serde(self) -> Serde | None:
        """What its keys and values are; None = text and JSON."""
        return self.app.declared.serdes.get(self.name)

    def rekey(
        self,
        key: RecordKey | str | None = None,
        *,
        name: str = "",
        after: Sequence[Topic] = (),
        tombstones: bool = False,
        once: bool = False,
    ) -> Topic:
        """Return the records once more under another key, in an internal topic; see `repartition`.

        Args:
            key: a field of the values, or what makes a key of a `Record`; None = the keys that steps have given.
            name: what they are keyed by, a part of the name of the topic; for a field its name.
            after: topics that are read before the internal one.
            tombstones: whether a record without a value deletes, under the key that its own key stands for.
            once: whether each counts once, at least once too; where there are steps before, it does if it can.

        Raises:
            JoinError: for arguments that do not go together.
        """
        if self._ways or key is None:
            if after or tombstones:
                raise JoinError("rekey(after=…, tombstones=…) are of the records of a topic, without steps before")
            return self._rekeyed(key, name)
        name = name or (key if isinstance(key, str) else "")
        if not name:
            raise JoinError("rekey(…) by a function needs a name of what the records are keyed by: name=…")
        if isinstance(key, str):
            return self.rekey(Field(key, required=True), name=name, after=after, tombstones=tombstones, once=True)
        before = [other.name for other in after]
        internal = repartition(
            self.app, self.name, name, key, after=before, tombstones=tombstones, once=once, read=self.read
        )
        self.app.note(f"{self.name}: keyed by {name} of the value, through {internal}", logging.INFO)
        topic = cast(Topic, self.app.subscription(internal, schema=BatchSchema(after=before)))
        topic.check, topic.decoded_by = self.check, self.decoded_by
        topic.keyed_by = name
        return topic

    def window(
        self,
        windows: Windows,
        *,
        by: str | None = None,
        grace: Duration = 0,
        emission: Emission | str = Emission.FINAL,
        every: Duration | None = None,
        idle_timeout: Duration | None = None,
        name: str = "",
    ) -> WindowedStream:
        """Put the records of this stream into windows, by key; what is made of them, its `agg` says.

        Args:
            windows: such as ``tumbling("1m")``.
            by: a field of the values, which are JSON objects: the records are written once more, keyed by it, unless
                they are keyed by it already. None = they count by their keys.
            grace: how far a record may be behind the event clock: a window is closed so long after its end.
            emission: whether a window gives one final result when it is closed, updates, or both.
            every: how often (event time) a window gives an update at most; None = each time that it is changed.
            idle_timeout: after how long a silence of a partition event time goes on with the wall clock, so that
                windows close; what comes after that and is behind by more than the grace is late. None = never.
            name: of the window; its state is kept under it, and looked at as the table of that name. By default that of
                the topic of the results.

        Raises:
            JoinError: for arguments that do not go together.
        """
        topic = self
        if by is not None and by != self.keyed_by:
            topic = self.rekey(by, once=True)
        return WindowedStream(
            self.app,
            topic.source(0),
            windows,
            milliseconds(grace),
            one_of(Emission, emission, "emission"),
            None if every is None else milliseconds(every),
            timeout(idle_timeout),
            name,
        )

    def enrich(self, *, grace: Duration = 0, name: str = "", **features: Aggregate[Held]) -> EnrichedStream:
        """Give each record of this stream what just happened, as of its own time, as fields of its value.

        Args:
            grace: how far a record may be behind the event clock of its key's partition; later ones come out without
                features, and count for no other record.
            name: of the enrichment; its state is kept under it. By default that of the topic of the results.
            features: aggregates by the names of the fields, such as ``n=Count(over="1m", by="ip")``: of the records
                that have the same value in a field (`by`), or the same key, in the time before the record (`over`).

        Raises:
            JoinError: for no features, or some that do not say over what they are, or do not go together.
        """
        groups = grouped(features, self.keyed_by)
        checked(Usable, groups, self.check)
        # Questions are asked of records as they are in a topic.
        asked = self.through() if set(groups) != {BY_KEY} and (self._ways or self.serde is not None) else self
        return EnrichedStream(self.app, asked.source(0), groups, milliseconds(grace), name)

    def operator(
        self, join: Join[R], *, idle_timeout: Duration | None = None, name: str = ""
    ) -> OperatorDeclaration[R]:
        """Run an operator of your own on the records of this stream, which is its source 0.

        It gets what joins and windows get: its state in a table with a changelog, side outputs, a balance that is
        checked, an event clock, and answers to `streamapp explain`.

        Args:
            join: what is started on the state of each partition.
            idle_timeout: after how long a silence of a partition event time goes on with the wall clock, while
                something waits for it. None = never.
            name: of the operator; its state is kept under it. By default it is made of the topic's name.
        """
        source = self.source(0)
        name = name or f"{source.topic.removeprefix(self.app.settings.topic_prefix)}-operator"
        return OperatorDeclaration(self.app, name, join, [source], timeout(idle_timeout))

    def table(self, *, ttl: Duration = 0, history: Duration | None = None, name: str = "") -> TopicTable:
        """Take the topic's records as the updates of a table: of each key the last one counts, null deletes.

        The rows of a plain table can be looked at, under its name, at ``/table/``.

        Args:
            ttl: how long a row lives, in event time; 0 = for ever.
            history: how far back past rows can be joined, which makes it a versioned table; None = plain.
            name: of the table; by default that of the topic, for the first join that takes it.
        """
        if self._ways:
            return self.through().table(ttl=ttl, history=history, name=name)
        return TopicTable(self, milliseconds(ttl), None if history is None else milliseconds(history), name)

    def global_table(self) -> TopicGlobalTable:
        """Take the topic for a table that every worker has as a whole, so that it can be looked up by any key."""
        if self._ways:
            raise JoinError("a global table is of a topic: send the stream to one, .to(…), and take that")
        return self.app.global_table(self.name, self.check, self.read)

    @overload
    def join(
        self,
        other: Topic,
        *,
        before: Duration,
        after: Duration,
        grace: Duration,
        how: How | str = ...,
        idle_timeout: Duration | None = ...,
        name: str | None = ...,
    ) -> JoinDeclaration[Joined]: ...

    @overload
    def join(
        self,
        other: TopicGlobalTable,
        *,
        key: KeyOf | None = ...,
        how: How | str = ...,
        name: str | None = ...,
    ) -> JoinDeclaration[Joined]: ...

    @overload
    def join(
        self,
        other: TopicTable,
        *,
        how: How | str = ...,
        grace: Duration | None = ...,
        idle_timeout: Duration | None = ...,
        name: str | None = ...,
    ) -> JoinDeclaration[Joined]: ...

    @overload
    def join(
        self,
        other: TopicTable,
        second: TopicTable,
        /,
        *more: TopicTable,
        how: How | str = ...,
        grace: Duration | None = ...,
        idle_timeout: Duration | None = ...,
        name: str | None = ...,
    ) -> JoinDeclaration[Enriched]: ...

    def join(
        self,
        other: Topic | TopicTable | TopicGlobalTable,
        *more: TopicTable,
        key: KeyOf | None = None,
        how: How | str = How.INNER,
        before: Duration | None = None,
        after: Duration | None = None,
        grace: Duration | None = None,
        idle_timeout: Duration | None = None,
        name: str | None = None,
    ) -> JoinDeclaration[Any]:
        """Join the records of this stream with those of another one, or with the rows of one table or several.

        Args:
            other: a stream, which may be this one itself, or a table.
            more: further tables; the results then are `Enriched`.
            key: gives the key to look a global table up with; by default it is the record's own.
            how: inner, left, and of two streams right and outer.
            before: how much earlier than a record of this stream one of the other may be.
            after: how much later it may be.
            grace: how far a record may be behind the event clock; of two streams always to be given.
            idle_timeout: after how long a silence of a partition event time goes on with the wall clock, so that what
                waits comes out; what comes after that and is behind by more than the grace is late. None = never.
            name: of the join, by default made of the topics' names; its state is kept under it.

        Raises:
            JoinError: for arguments that do not go together.
        """
        how = one_of(How, how, "how")
        if isinstance(other, Topic):
            if before is None or after is None or grace is None or more:
                raise JoinError("a join of two streams needs before, after and grace, and takes no tables")
            window = {"before": milliseconds(before), "after": milliseconds(after), "grace": milliseconds(grace)}
            join: Join[Any] = checked(StreamStreamJoin, **window, how=how)
            return declare(self.app, name, join, self.source(0), other.source(1), idle_timeout=idle_timeout)
        if isinstance(other, TopicGlobalTable):
            if more or grace is not None or before is not None or after is not None:
                raise JoinError("a global table is joined alone, and takes neither grace nor before and after")
            found = GlobalJoin(checked(StreamTableJoin, how=how, key=key), other)
            name = name or named([self.source(0), Input(other.topic, 1)], self.app.settings.topic_prefix)
            return JoinDeclaration(self.app, name, found, [self.source(0)], needs=[other.complete])
        if key is not None:
            raise JoinError("key is for the join with a global table; others are joined by the records' keys: rekey(…)")
        if before is not None or after is not None:
            raise JoinError("before and after are for the join of two streams; a table takes ttl and history")
        tables = (other, *more)
        joins = tuple(table.looked_up(how, grace) for table in tables)
        inputs = [table.source(number) for number, table in enumerate(tables, 1)]
        join = joins[0] if not more else checked(NWayJoin, joins)
        # A table is up to date before the stream's records of the same time.
        return declare(self.app, name, join, *inputs, self.source(0), idle_timeout=idle_timeout)

    def join_asof(
        self,
        other: Topic,
        *,
        tolerance: Duration,
        grace: Duration,
        direction: Direction | str = Direction.BACKWARD,
        how: How | str = How.INNER,
        idle_timeout: Duration | None = None,
        name: str | None = None,
    ) -> JoinDeclaration[Joined]:
        """Join each record of this stream with the one of another stream that is the nearest in time.

        Args:
            other: the other stream.
            tolerance: how far apart they may be.
            grace, idle_timeout, name: as in `join`; `direction` is backward, forward or nearest, `how` inner or left.

        Raises:
            JoinError: for arguments that do not go together.
        """
        join = checked(
            AsOfJoin,
            tolerance=milliseconds(tolerance),
            grace=milliseconds(grace),
            direction=one_of(Direction, direction, "direction"),
            how=one_of(How, how, "how"),
        )
        return declare(self.app, name, join, self.source(0), other.source(1), idle_timeout=idle_timeout)

    def reduce_windows(
        self,
        other: Topic,
        *,
        size: Duration,
        grace: Duration,
        initial: Callable[[], A],
        reduce: Callable[[A, int, Record], A],
        value: type[A],
        advance: Duration | None = None,
        idle_timeout: Duration | None = None,
        name: str | None = None,
    ) -> JoinDeclaration[WindowedValue[A]]:
        """Fold the records of both streams by key and window; `streamapp.joins.WindowedReduce` has the arguments.

        Raises:
            JoinError: for arguments that do not go together.
        """
        join: Join[WindowedValue[A]] = checked(
            WindowedReduce,
            size=milliseconds(size),
            grace=milliseconds(grace),
            advance=None if advance is None else milliseconds(advance),
            initial=initial,
            reduce=reduce,
            value=value,
        )
        return declare(self.app, name, join, self.source(0), other.source(1), idle_timeout=idle_timeout)
