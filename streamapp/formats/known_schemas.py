"""What is known of the schemas that the data of a topic name: bounded, whatever ids they have."""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from typing import Final, NamedTuple

from streamapp.formats.schema_readers import Reader
from streamapp.formats.wire_format import SchemaId

__all__ = ["REFUSED_AT_MOST", "REFUSED_S", "KnownSchema", "KnownSchemas"]

#: Readers that are kept. A topic has a few schemas, but bytes of a producer that writes something else may have any id.
READERS_AT_MOST: Final = 1_000
#: Seconds for which an id is not asked for again, if the registry does not have it, or has what cannot be read.
REFUSED_S: Final = 30.0
#: Such ids at a time; while there are so many, no others are asked for: who names so many writes something else.
REFUSED_AT_MOST: Final = 100


class KnownSchema(NamedTuple):
    """A schema that was fetched: its type, and what reads its data."""

    type: str
    reader: Reader


class _Refused(NamedTuple):
    why: str
    #: By the monotonic clock, in seconds.
    until: float


class KnownSchemas:
    """The schemas of a topic, for the loop that reads it and the threads that fetch."""

    def __init__(self) -> None:
        #: By their ids, the longest known first.
        self.readers: dict[SchemaId, KnownSchema] = {}
        #: By their ids, in the order in which they were refused.
        self._refused: dict[SchemaId, _Refused] = {}
        self._lock = threading.Lock()

    def add(self, schema: SchemaId, known: KnownSchema) -> None:
        """Take what reads the data of a schema."""
        with self._lock:
            self.readers[schema] = known
            self._refused.pop(schema, None)

    def make_room(self, needed: Container[SchemaId]) -> None:
        """Forget those that are known for longest, if there are too many, but for those that are needed now."""
        with self._lock:
            if (surplus := len(self.readers) - READERS_AT_MOST) > 0:
                for schema in [one for one in self.readers if one not in needed][:surplus]:
                    del self.readers[schema]

    def refuse(self, schema: SchemaId, why: str) -> None:
        """Have a schema not asked for, for a while."""
        with self._lock:
            self._refused.pop(schema, None)
            self._refused[schema] = _Refused(why, time.monotonic() + REFUSED_S)
            if len(self._refused) > REFUSED_AT_MOST:
                del self._refused[next(iter(self._refused))]

    def was_refused(self, schema: SchemaId) -> bool:
        """Return whether a schema was asked for before, in vain, even if that is long ago."""
        return schema in self._refused

    def why_refused(self, schema: SchemaId) -> str | None:
        """Return why data of a schema that is not known are refused now; None = it is to be asked for."""
        now = time.monotonic()
        with self._lock:
            if (found := self._refused.get(schema)) is not None:
                return found.why if now < found.until else None
            if len(self._refused) == REFUSED_AT_MOST and now < next(iter(self._refused.values())).until:
                return (
                    f"it is not asked for, since {REFUSED_AT_MOST} others that records have named within "
                    f"{REFUSED_S:.0f} s are none that can be read"
                )
        return None
