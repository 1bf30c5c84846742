"""The topics of an app as they are declared: one entry each, by full name, however often it is declared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

from streamapp.runtime.output import Output

__all__ = ["DeclaredTopics"]

O = TypeVar("O", bound=Output)  # noqa: E741


@dataclasses.dataclass
class DeclaredTopics:
    """What is read, and what is written."""

    #: Topics whose agents get batches, with those that are read before each.
    inputs: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    #: Of them, those that are this app's own, and are made if they are missing.
    own: set[str] = dataclasses.field(default_factory=set)
    #: Of them, those that an agent of this app writes from another one, with that one (`streamapp.runtime.hops`).
    hops: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Topics that results are sent to.
    sinks: dict[str, Output] = dataclasses.field(default_factory=dict)
    #: Topics between the agents of this app.
    internal: dict[str, Output] = dataclasses.field(default_factory=dict)

    def read(self, topic: str, after: Iterable[str] = ()) -> None:
        """Declare a topic that is read, after some others."""
        self.inputs[topic] = tuple(dict.fromkeys([*self.inputs.get(topic, ()), *after]))

    def sink(self, topic: str, make: Callable[[], O]) -> O:
        """Return the topic's sink, which is made if there is none yet; a TypeError if there is one of another kind."""
        made = make()
        found = self.sinks.setdefault(topic, made)
        if not isinstance(found, type(made)):
            raise TypeError(f"{topic} is declared as {type(found).__name__} and as {type(made).__name__}")
        return found
