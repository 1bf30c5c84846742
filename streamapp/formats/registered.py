"""Values and keys in the wire format of a schema registry: each says which schema it was written with."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from streamapp.errors import StreamappError
from streamapp.extras import MissingExtraError
from streamapp.formats.avro import Avro
from streamapp.formats.format import Headers, SchemaUnavailableError
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.registry import Registry, RegistryError, UnknownSchema
from streamapp.formats.schema_readers import REASONS, Read, reading
from streamapp.formats.schema_texts import written
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.wire_format import Framed, SchemaId, WireError, frame, read_frame
from streamapp.settings import PREFIX, RegistrySchemas, Settings, Subjects

__all__ = ["Registered", "RegisteredData", "Told", "UnfetchedError"]

#: Seconds for which an id that the registry does not have is not asked for again: a replica of it may be behind.
UNKNOWN_EXPIRY_S: Final = 30.0


class UnfetchedError(SchemaUnavailableError):
    """A schema is needed that was not fetched yet.

    Args:
        schema: its id.
        fetch: has the registry say what it is, or that it does not have it; blocks. Raises a `RegistryError` if it does
            not say.
    """

    def __init__(self, schema: SchemaId, fetch: Callable[[], object]) -> None:
        super().__init__(f"schema {schema} is still to be fetched from the registry")
        self.schema = schema
        self.fetch = fetch


class Told(NamedTuple):
    """What data say of themselves: the type and the id of their schema, and their JSON."""

    format: str
    json: bytes


class _Known(NamedTuple):
    type: str
    read: Read


@dataclasses.dataclass(frozen=True)
class Registered:
    """Values or keys in the wire format of a schema registry (``STREAMAPP_REGISTRY_URL``), as a topic declares them.

    Args:
        format: what they are read as, whatever schema of that kind wrote them, and written as; None = each is read by
            its own schema, and nothing is written.
    """

    format: Avro | Protobuf | None = None
    #: By topic, and whether it is of the keys: who asks for one again gets the same.
    _bound: dict[tuple[str, bool], RegisteredData] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the format within."""
        return "registry" if self.format is None else self.format.name

    @property
    def headers(self) -> Headers:
        """None: the id stands before the data."""
        return ()

    def bound(self, topic: str, *, key: bool = False) -> RegisteredData:
        """Return the format of a topic.

        Raises:
            StreamappError: if its schema is none.
        """
        if (topic, key) not in self._bound:
            format_ = None if self.format is None else self.format.bound(topic, key=key)
            self._bound[topic, key] = RegisteredData(format_, topic, key=key)
        return self._bound[topic, key]

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return nothing: it has to be bound to a topic."""
        raise NotImplementedError

    def from_json(self, data: bytes) -> bytes:
        """Return nothing: it has to be bound to a topic."""
        raise NotImplementedError


class RegisteredData:
    """Values or keys of one topic; to be connected to the registry before the first one is read or written."""

    headers: Headers = ()

    def __init__(self, format_: Avro | Protobuf | None, topic: str, *, key: bool = False) -> None:
        self.format, self.topic, self.key = format_, topic, key
        self.name = "registry" if format_ is None else format_.name
        self._registry: Registry | None = None
        self._blocks = False
        self._known: dict[SchemaId, _Known] = {}
        #: What stands before data that are written.
        self._frame = b""

    def bound(self, topic: str, *, key: bool = False) -> RegisteredData:
        """Return this one, which is bound already."""
        return self

    def connect(self, registry: Registry, *, blocks: bool = False) -> None:
        """Have schemas fetched from a registry: while one is read, or by whoever gets the `UnfetchedError`."""
        self._registry, self._blocks = registry, blocks

    def register(self, settings: Settings) -> int:
        """Have the schema that is written with registered, or looked up, as the settings say; return its id. Blocks.

        Raises:
            StreamappError: if it cannot be; names the subject.
        """
        if self.format is None or self._registry is None:
            raise StreamappError(f"{self.topic} is written, and declares no schema to write with: Registered(Avro(…))")
        schema, record, path = written(self.format)
        subject = self._subject(settings.registry_subjects, record)
        known = settings.registry_schemas is RegistrySchemas.LOOKUP
        id_ = (self._registry.look_up if known else self._registry.register)(subject, schema)
        self._frame = frame(id_, path)
        return id_

    def _subject(self, subjects: Subjects, record: str) -> str:
        if subjects is Subjects.TOPIC:
            return f"{self.topic}-{'key' if self.key else 'value'}"
        if not record:
            raise StreamappError(f"{self.topic}: {PREFIX}REGISTRY_SUBJECTS={subjects} needs a schema that is a record")
        return record if subjects is Subjects.RECORD else f"{self.topic}-{record}"

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of data.

        Raises:
            Undecodable: if they do not say which schema wrote them, or are not of it, or the registry does not have it.
            UnfetchedError: if the schema is to be fetched first.
            RegistryError: if that is done here, and the registry does not answer.
        """
        framed = self._framed(data, headers)
        return self._read(framed, self._reader(framed.schema))

    def told(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> Told:
        """Return the JSON of data with what they say of themselves; raises as `to_json` does."""
        framed = self._framed(data, headers)
        known = self._reader(framed.schema)
        return Told(f"{known.type}, schema {framed.schema}", self._read(framed, known))

    def from_json(self, data: bytes) -> bytes:
        """Return the data for JSON.

        Raises:
            Undecodable: if the schema has no place for it.
        """
        if self.format is None or not self._frame:
            raise StreamappError(f"{self.topic}: nothing can be written before its schema is registered")
        return self._frame + self.format.from_json(data)

    def _framed(self, data: bytes, headers: Iterable[tuple[str, bytes | None]]) -> Framed:
        try:
            return read_frame(data, headers, key=self.key)
        except WireError as exc:
            raise Undecodable(REASONS.get(self.name, Reason.UNKNOWN_SCHEMA), str(exc)) from None

    def _reader(self, schema: SchemaId) -> _Known:
        if (known := self._known.get(schema)) is not None:
            return known
        if not self._blocks:
            raise UnfetchedError(schema, lambda: self._fetch(schema))
        self._fetch(schema)
        return self._known[schema]

    def _read(self, framed: Framed, known: _Known) -> bytes:
        try:
            return known.read(framed)
        except (Undecodable, WireError) as exc:
            reason = exc.reason if isinstance(exc, Undecodable) else Reason.NOT_PROTOBUF
            raise Undecodable(reason, f"schema {framed.schema}: {exc}") from None

    def _fetch(self, schema: SchemaId) -> None:
        if self._registry is None:
            raise StreamappError(f"{self.topic}: there is no registry to ask for schema {schema}")
        try:
            found = self._registry.schema(schema)
            self._known[schema] = _Known(found.type.lower(), reading(found, self.format))
        except UnknownSchema:
            self._known[schema] = _Known("", self._unknown(schema, f"{self._registry.place} does not have it"))
        except (RegistryError, MissingExtraError):
            raise  # it is no fault of the schema's
        except StreamappError as exc:
            self._known[schema] = _Known("", self._unknown(schema, str(exc)))

    def _unknown(self, schema: SchemaId, why: str) -> Read:
        expiry = time.monotonic() + UNKNOWN_EXPIRY_S

        def refused(_: Framed) -> bytes:
            if time.monotonic() > expiry:
                self._known.pop(schema, None)
            raise Undecodable(Reason.UNKNOWN_SCHEMA, why)

        return refused
