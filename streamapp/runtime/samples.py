"""Samples: the newest records that came to nothing, by reason, and the newest results; for people who look."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, Self, TypeVar

import msgspec
from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.formats.serde import Translated
from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.record import Result

__all__ = ["Made", "Sample", "Samples", "newest_of_each"]

K = TypeVar("K")
R = TypeVar("R")

#: How many records of each reason are kept.
NEWEST: Final = 20
#: Bytes of a key or a value, and characters of an error, that are kept.
KEPT_BYTES: Final = 400
#: Bytes of those of results that are not JSON: what is cut can't be read.
WHOLE_BYTES: Final = 64 << 10


class Keyed(Protocol):
    """A record, as far as a sample has it."""

    @property
    def key(self) -> bytes | None:
        """The key."""

    @property
    def timestamp(self) -> int | None:
        """The event time (ms)."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """A record that came to nothing: where it is, and why, in words."""

    tp: TP
    offset: int
    #: Its beginning.
    key: bytes | None
    #: The event time (ms); None = it is not known.
    timestamp: int | None
    reason: str
    detail: str = ""
    #: Whether the key is in the format of the topic's keys; otherwise it is text.
    encoded: bool = False

    @classmethod
    def of(cls, tp: TP, record: Keyed, reason: str, detail: str = "") -> Self:
        """Take a sample of a record; it keeps nothing of the batch that the record is in."""
        key = record.key
        offset = getattr(record, "offset", -1)
        # A record that a join kept for a time has the text of its key, and no headers any more.
        encoded = hasattr(record, "headers") and not isinstance(record, Translated)
        kept = None if key is None else key[:KEPT_BYTES]
        return cls(tp, offset, kept, record.timestamp, reason, detail[:KEPT_BYTES], encoded)

    def key_text(self, as_text: Callable[[bytes], bytes] | None) -> bytes | None:
        """Return the key as people read it, by what makes text of the topic's keys (None = they are text).

        What is no key of that format stays as it is.
        """
        if self.encoded and as_text is not None and self.key is not None:
            with contextlib.suppress(Undecodable, StreamappError):
                return as_text(self.key)
        return self.key


class Made(msgspec.Struct, frozen=True, gc=False):
    """The beginning of a result's key and value, and its event time (ms; None = that of sending)."""

    key: bytes | None
    timestamp: int | None
    value: bytes | None

    @classmethod
    def of(cls, result: Result) -> Self:
        """Take a sample of a result."""
        return cls.whole(result).cut(KEPT_BYTES)

    @classmethod
    def whole(cls, result: Result) -> Self:
        """Take a sample from which the key and the value can be read, whatever they are written as."""
        stamped, value = result
        return cls(stamped.key, stamped.timestamp, value).cut(WHOLE_BYTES)

    def cut(self, size: int) -> Self:
        """Return the beginning of it."""
        key, value = (None if part is None else part[:size] for part in (self.key, self.value))
        return type(self)(key, self.timestamp, value)

    def shown(self, as_text: Callable[[bytes], bytes] | None, as_json: Callable[[bytes], bytes] | None) -> Self:
        """Return it as people read it, by what makes text of the key and JSON of the value; None = they are so."""
        key, value = self.key, self.value
        if as_text is not None and key is not None:
            with contextlib.suppress(Undecodable, StreamappError):
                key = as_text(key)
        if as_json is not None and value is not None:
            with contextlib.suppress(Undecodable, StreamappError):
                value = as_json(value)
        return type(self)(key, self.timestamp, value).cut(KEPT_BYTES)


class Samples:
    """The newest samples of each topic and reason."""

    def __init__(self) -> None:
        #: Those of all topics and reasons.
        self.all: deque[Sample] = deque(maxlen=NEWEST)
        self._newest: dict[tuple[str, str], deque[Sample]] = {}

    def add(self, samples: Iterable[Sample]) -> None:
        """Keep samples, the oldest first."""
        for one in samples:
            about = one.tp.topic, one.reason
            if about not in self._newest:
                self._newest[about] = deque(maxlen=NEWEST)
            self._newest[about].append(one)
            self.all.append(one)

    def of(self, topic: str, reason: str) -> list[Sample]:
        """Return the samples of a topic and a reason, the newest first."""
        return [*reversed(self._newest.get((topic, reason), ()))]


def newest_of_each(last: Mapping[K, R], kinds: Sequence[K], records: Sequence[R]) -> list[R]:
    """Return the newest records of a batch, of which the samples keep a few, and at least the last one of each kind.

    Args:
        last: the last record of each kind.
        kinds: the kind of each record.
        records: the records.
    """
    seen = set(kinds[-NEWEST:])
    return [*(record for kind, record in last.items() if kind not in seen), *records[-NEWEST:]]
