"""The aggregates of a stream in windows, as they are declared; each kind of windows has an operator of its own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self

from streamapp.joins.declared import Declared, Described, StateMismatch, changes
from streamapp.joins.join import Operator
from streamapp.joins.state import State
from streamapp.windows.aggregate import Aggregate, Held, Value
from streamapp.windows.count import Count
from streamapp.windows.emission import Emission
from streamapp.windows.fields import CheckedFields, Fields, JsonFields, fields_for
from streamapp.windows.windowed import Windowed

__all__ = ["WindowedAggregate", "Windows"]

#: Before the name of an aggregate in a declaration.
AGGREGATE: Final = "aggregate "


class Windows(Protocol):
    """A kind of windows: a frozen dataclass of integers (ms) and text."""

    @property
    def kind(self) -> str:
        """What they are called in a declaration."""
        ...

    @property
    def span(self) -> int:
        """How far (ms) the end of a window may be behind a record in it, as a rule."""
        ...

    def check(self, join: WindowedAggregate) -> None:
        """Raise a ValueError for aggregates that are not for such windows."""
        ...

    def start(self, join: WindowedAggregate, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state of a partition holds."""
        ...


@dataclasses.dataclass(frozen=True, repr=False)
class _Gone(Count):
    """An aggregate that wrote a state, and is not declared any more."""

    told: str = ""

    def __repr__(self) -> str:
        return self.told


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowedAggregate(Described):
    """Aggregates of the records of one stream by key and window; the stream is source 0.

    Args:
        windows: such as ``tumbling("1m")``.
        aggregates: by their names, in the order of the results' values.
        grace: how far (ms) a record may be behind the clock.
        fields: returns for a record the values that the aggregates take, in their order; None = those of the fields
            of the JSON object that its value is (`JsonFields`).
        emission: when windows give results.
        every: how often (ms of event time) a window gives an update at most: when the clock comes to a multiple of it,
            each window that was changed since gives one. By event time results are the same whatever the batches, after
            a restart, and when old data are read again. None = at each record that changes it.

    Raises:
        ValueError: for a negative grace, no aggregates or some that are not for such windows or not for one field
            together, or an ``every`` that is no use.
    """

    windows: Windows
    aggregates: Mapping[str, Aggregate[Held]]
    grace: int = 0
    fields: Fields | None = None
    emission: Emission = Emission.FINAL
    every: int | None = None

    def __post_init__(self) -> None:
        if self.grace < 0:
            raise ValueError(f"the grace must not be negative, but is {self.grace} ms")
        if not self.aggregates:
            raise ValueError("windows need at least one aggregate, such as n=Count()")
        for name, aggregate in self.aggregates.items():
            if getattr(aggregate, "over", None) is not None or getattr(aggregate, "by", None) is not None:
                raise ValueError(f"{name}={aggregate}: over= and by= are for enrich(), windows have their own")
        if self.every is not None and self.every <= 0:
            raise ValueError(f"updates every {self.every} ms: this must be more than 0")
        if self.every is not None and not self.emission.updates:
            raise ValueError("every= is about updates, and there are none: emission must be updates or both")
        self.windows.check(self)
        self.values  # noqa: B018 - what is wrong with the fields is told here, and not by the first partition

    @functools.cached_property
    def values(self) -> JsonFields | CheckedFields:
        """Returns the values that the aggregates take of a record."""
        return fields_for(self.aggregates.values(), self.fields)

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record until none of its results is to come."""
        return self.windows.span + self.grace

    def start(self, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state holds."""
        return self.windows.start(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        settings = {name: getattr(self.windows, name) for name in _settings(self.windows)}
        own = {"grace": self.grace, "emission": self.emission.value, "every": self.every}
        aggregates = {AGGREGATE + name: str(aggregate) for name, aggregate in self.aggregates.items()}
        return Declared(self.windows.kind, {**settings, **own, **aggregates})

    def written_by(self, declared: Declared) -> Self:
        """Return the aggregates that wrote a state, or raise a StateMismatch."""
        given: dict[str, Value] = dict(declared.settings)
        try:
            windows: Any = self.windows
            return dataclasses.replace(
                self,
                windows=dataclasses.replace(windows, **{name: given[name] for name in _settings(windows)}),
                grace=given["grace"],
                emission=Emission(given["emission"]),
                every=given["every"],
                aggregates={
                    name.removeprefix(AGGREGATE): self._known(name.removeprefix(AGGREGATE), told)
                    for name, told in given.items()
                    if name.startswith(AGGREGATE)
                },
            )
        except (KeyError, TypeError, ValueError):
            raise StateMismatch(f"it is that of {declared}, which this version of streamapp does not know") from None

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results after the state of other aggregates is taken over.

        Raises:
            StateMismatch: if the windows are others, or an aggregate is another one under the same name.
        """
        if was.windows != self.windows:
            told = changes(was.windows, self.windows, *_settings(self.windows))
            raise StateMismatch(f"its windows are others: {told}")
        for name, aggregate in self.aggregates.items():
            if name in was.aggregates and str(was.aggregates[name]) != str(aggregate):
                before = was.aggregates[name]
                raise StateMismatch(f"{name} is {before} there, and not {aggregate}: give the new one another name")
        notes = []
        if new := [name for name in self.aggregates if name not in was.aggregates]:
            notes.append(f"new are {', '.join(new)}: in windows that are open by now they lack the records so far")
        if self.grace > was.grace:
            notes.append(f"{changes(was, self, 'grace')}: what was late before stays late")
        return notes

    def _known(self, name: str, told: str) -> Aggregate[Held]:
        """Return an aggregate that a state has: the one that is declared, if it is the same."""
        aggregate = self.aggregates.get(name)
        return aggregate if aggregate is not None and str(aggregate) == told else _Gone(told=told)


def _settings(windows: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(windows)]
