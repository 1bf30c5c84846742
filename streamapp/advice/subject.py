"""What is asked about: a join or windows as they are declared, and how the records of their topics are taken in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeGuard

from streamapp.advice.costs import grace_of
from streamapp.errors import StreamappError
from streamapp.joins import (
    AsOfJoin,
    ForeignKeyJoin,
    Join,
    NWayJoin,
    Record,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
)
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.runtime.inputs import Input
from streamapp.runtime.topics import Rekeyed
from streamapp.topology.app import App
from streamapp.windows.enrichment import Enrichment
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["Subject", "SubjectError", "made_of", "subjects"]

#: What can be asked about.
KINDS: Final = (
    StreamStreamJoin,
    AsOfJoin,
    StreamTableJoin,
    NWayJoin,
    TableTableJoin,
    ForeignKeyJoin,
    WindowedReduce,
    WindowedAggregate,
    Enrichment,
)


class SubjectError(StreamappError):
    """A join that is not there, or that cannot be asked about; the text is one line."""


class Declared(Protocol):
    """A join that an app declares, or whose agent runs it by hand."""

    name: str

    @property
    def join(self) -> Any:
        """What is joined how."""

    @property
    def inputs(self) -> Sequence[Input]:
        """The topics that it reads."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A join or windows.

    Args:
        name: of the join.
        join: what is joined how; None = nothing is: topics are looked at that have a clock together.
        inputs: the topics that it reads; at equal times those first that go first.
        idle_timeout: after how long (ms) without a record event time goes on by itself; None = never.
        rekeyed: of these topics, those that are the records of another one by other keys.
        whole: whether all partitions go together, since what is joined is in different ones.
        asked_grace: a grace (ms) that is asked about where nothing is joined.
    """

    name: str
    join: Join[Any] | None
    inputs: Sequence[Input]
    idle_timeout: int | None = None
    rekeyed: dict[str, Rekeyed] = dataclasses.field(default_factory=dict)
    whole: bool = False
    asked_grace: int | None = None

    @property
    def topics(self) -> dict[int, str]:
        """By source, the topic that its records are from, in which they have their offsets."""
        return {each.source: self.origin(each.topic) for each in self.inputs}

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table, which is read from its beginning."""
        return frozenset() if self.join is None else self.join.tables

    @property
    def grace(self) -> int | None:
        """How far (ms) a record may be behind; None = none is late."""
        return self.asked_grace if self.join is None else grace_of(self.join)

    @property
    def clocked(self) -> frozenset[int]:
        """The sources whose records move the clock that tells what is late."""
        sources = frozenset(each.source for each in self.inputs)
        return frozenset({0}) if isinstance(self.join, StreamTableJoin | NWayJoin) else sources

    def origin(self, topic: str) -> str:
        """Return the topic that is read for one of the inputs."""
        return self.rekeyed[topic].source if topic in self.rekeyed else topic


def made_of(each: Input, record: Record) -> Sequence[Record]:
    """Return what is taken in of a record of an input; raises `Refused` for one that cannot be used."""
    if each.convert is not None:
        record = each.convert(record)
    if each.check is not None:
        each.check(record)
    return (record,) if each.steps is None else each.steps(record)


def subjects(app: App, name: str | None = None) -> list[Subject]:
    """Return the joins and windows of an app that can be asked about, or the one of a name.

    Raises:
        SubjectError: if there is none.
    """
    declared: list[Declared] = [*app.joins]
    known = {one.name for one in declared}
    # What agents run by hand can be asked about too, if it says what it is.
    declared += [one.join for one in app.explainers.values() if one.join.name not in known and _told(one.join)]
    found = [subject for one in declared if (subject := _subject(app, one, declared)) is not None]
    if name is None:
        if not found:
            raise SubjectError("the app declares no joins and no windows")
        return found
    chosen = [one for one in found if one.name == name]
    if not chosen:
        names = ", ".join(one.name for one in found) or "none"
        if name in {one.name for one in declared}:
            raise SubjectError(f"{name} is neither a join nor windows, or joins a global table; there are {names}")
        raise SubjectError(f"there is no join {name!r}, but {names}")
    return chosen


def _told(join: object) -> TypeGuard[Declared]:
    return isinstance(getattr(join, "join", None), KINDS)


def _subject(app: App, declared: Declared, others: Iterable[Declared]) -> Subject | None:
    join, inputs = declared.join, list(declared.inputs)
    whole = False
    if isinstance(join, LeftHalf):
        right = next(one for one in others if one.name == f"{declared.name}-right")
        inputs = [each for each in (*inputs, *right.inputs) if each.topic not in app.derived]
        join, whole = ForeignKeyJoin(foreign_key=join.foreign_key, how=join.how), True
    if isinstance(join, RightHalf) or not isinstance(join, KINDS):
        return None
    # Of records of one time, those of tables go first.
    inputs.sort(key=lambda each: each.source not in join.tables)
    rekeyed = {each.topic: app.declared.rekeyed[each.topic] for each in inputs if each.topic in app.declared.rekeyed}
    return Subject(declared.name, join, inputs, getattr(declared, "idle_timeout", None), rekeyed, whole)
