"""The topics of an app as they are declared: one entry each, by full name, however often it is declared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from streamapp.errors import StreamappError
from streamapp.formats.format import FormatDeclaration
from streamapp.formats.keys import Keys
from streamapp.formats.registered import Registered, RegisteredData
from streamapp.formats.serde import Read, Serde, written_key
from streamapp.runtime.output import Output

__all__ = ["DeclaredTopics", "Rekeyed"]

O = TypeVar("O", bound=Output)  # noqa: E741


@dataclasses.dataclass(frozen=True)
class Rekeyed:
    """What an internal topic has: the records of another topic by other keys.

    Args:
        source: full name of that topic.
        key: gives the key of a record; raises `Refused` or `Undecodable` for one that has none.
        read: makes of a record of that topic one whose value is JSON; None = it is such a one.
        tombstones: whether one without a value goes on, by the key that its own key stands for.
    """

    source: str
    key: Callable[[Any], bytes | None]
    read: Read | None = None
    tombstones: bool = False


@dataclasses.dataclass
class DeclaredTopics:
    """What is read, and what is written."""

    #: Topics whose agents get batches, with those that are read before each.
    inputs: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    #: Of them, those that are this app's own, and are made if they are missing.
    own: set[str] = dataclasses.field(default_factory=set)
    #: Of them, those that an agent of this app writes from others, with these (`streamapp.runtime.hops`).
    hops: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    #: Of these, those that have the records of one topic as they are, by other keys.
    rekeyed: dict[str, Rekeyed] = dataclasses.field(default_factory=dict)
    #: Topics of this app with as many partitions as another one has, whose records theirs go with.
    alike: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Of these, those whose records say of which record they are a copy (`streamapp.runtime.copies`).
    copied: set[str] = dataclasses.field(default_factory=set)
    #: Topics that may have one partition only, and why.
    single: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Topics between agents that nobody writes and reads any more, and with which setting both did.
    left: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Topics that results are sent to.
    sinks: dict[str, Output] = dataclasses.field(default_factory=dict)
    #: Topics between the agents of this app.
    internal: dict[str, Output] = dataclasses.field(default_factory=dict)
    #: Formats of values that are not JSON, and of keys that are not text, as they were declared.
    formats: dict[str, FormatDeclaration] = dataclasses.field(default_factory=dict)
    key_formats: dict[str, FormatDeclaration] = dataclasses.field(default_factory=dict)
    #: Of topics with such formats.
    serdes: dict[str, Serde] = dataclasses.field(default_factory=dict)
    #: What agents read and write by themselves in the wire format of a schema registry, and whether it is written.
    registered: dict[RegisteredData, bool] = dataclasses.field(default_factory=dict)

    def read(self, topic: str, after: Iterable[str] = ()) -> None:
        """Declare a topic that is read, after some others."""
        self.inputs[topic] = tuple(dict.fromkeys([*self.inputs.get(topic, ()), *after]))

    def serde(
        self, topic: str, value: FormatDeclaration | None = None, key: FormatDeclaration | None = None
    ) -> Serde | None:
        """Declare the formats of a topic, and return what makes of them; None = its values are JSON, its keys text.

        Raises:
            StreamappError: if it has others already, or cannot have these.
        """
        for known, given, what in ((self.formats, value, "format"), (self.key_formats, key, "key_format")):
            if given is not None and known.setdefault(topic, given) != given:
                raise StreamappError(f"{topic} is declared with {what}={known[topic].name} and with {given.name}")
        if topic not in self.serdes or value is not None or key is not None:
            found = Serde.of(topic, self.formats.get(topic), self.key_formats.get(topic))
            if found is not None:
                self.serdes[topic] = found
        return self.serdes.get(topic)

    def key_format(self, topics: Collection[str], of: str) -> FormatDeclaration | None:
        """Return the format that the keys of topics have which go together; None = text.

        Raises:
            StreamappError: if they have several: then the same key is in other partitions of them.
        """
        found = {topic: self.key_formats.get(topic) for topic in topics}
        first, *others = found
        for other in others:
            if found[other] != found[first]:
                raise StreamappError(
                    f"{of}: the keys of {first} and {other} are not in the same format, so the same key is in other "
                    "partitions: have the one whose keys are not text written once more, .rekey()"
                )
        return found[first]

    def keys(self, topic: str) -> Keys | None:
        """Return what the keys of a topic are written as; None = text."""
        serde = self.serdes.get(topic)
        return None if serde is None or serde.key is None else Keys(serde.key)

    def written(self, topic: str, to: str) -> Callable[[bytes], bytes] | None:
        """Return what makes of a key of a topic that of another one, which is sent to; None = it is the same one.

        What it returns raises `Undecodable` for what is no key of these.
        """
        if self.key_formats.get(topic) == self.key_formats.get(to):
            return None
        keys, others = self.keys(topic), self.keys(to)

        def written(key: bytes) -> bytes:
            text = key if keys is None else keys.text(key)
            return text if others is None else written_key(others.format, text)

        return written

    def check_placed(self, topics: Iterable[str], of: str) -> None:
        """Check that each key of topics is in one partition, for what keeps something for each key.

        A key in a registry's wire format has other bytes once its schema is another version, and so another partition.

        Raises:
            StreamappError: if that is not sure.
        """
        for topic in topics:
            if isinstance(self.key_formats.get(topic), Registered):
                raise StreamappError(
                    f"{of}: the keys of {topic} have the id of their schema in them, so the same key is in other "
                    "partitions when its schema has changed: have the topic written once more by the text of its keys, "
                    ".rekey(), or by a field of its values"
                )

    def sink(self, topic: str, make: Callable[[], O]) -> O:
        """Return the topic's sink, which is made if there is none yet; a TypeError if there is one of another kind."""
        made = make()
        found = self.sinks.setdefault(topic, made)
        if not isinstance(found, type(made)):
            raise TypeError(f"{topic} is declared as {type(found).__name__} and as {type(made).__name__}")
        return found
