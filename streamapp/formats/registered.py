"""Values and keys in the wire format of a schema registry: each says which schema it was written with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

from streamapp.errors import StreamappError
from streamapp.extras import MissingExtraError
from streamapp.formats.avro import Avro
from streamapp.formats.format import FormatDeclaration, Headers, SchemaUnavailableError
from streamapp.formats.known_schemas import REFUSED_AT_MOST, KnownSchema, KnownSchemas
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.registry import Registry, RegistryError, UnknownSchema
from streamapp.formats.schema_readers import REASONS, Make, reader_of
from streamapp.formats.schema_texts import written
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.wire_format import KEY_HEADER, VALUE_HEADER, Framed, SchemaId, WireError, frame, read_frame
from streamapp.joins import Record
from streamapp.settings import PREFIX, RegistryIds, RegistrySchemas, Settings, Subjects

__all__ = ["Registered", "RegisteredData", "Told", "UnfetchedError", "placed_alike"]

#: Schemas that are asked for before the records are looked at again: of ids that are none no more are needed.
ASKED_AT_ONCE: Final = REFUSED_AT_MOST


class UnfetchedError(SchemaUnavailableError):
    """A schema is needed that was not fetched yet: whoever gets this fetches it, or has it refused, and tries again.

    Args:
        data: what it is needed for.
        schema: its id.
    """

    def __init__(self, data: RegisteredData, schema: SchemaId) -> None:
        super().__init__(f"schema {schema} is still to be fetched from the registry")
        self.data, self.schema = data, schema

    @property
    def known_as_unknown(self) -> bool:
        """Whether the registry did not have it when it was asked before."""
        return self.data.schemas.was_refused(self.schema)

    def with_those_of(self, records: Iterable[Record]) -> list[UnfetchedError]:
        """Return this one and what further records need, so that all of it is waited for at once."""
        data = self.data
        named = dict.fromkeys(schema for one in records if (schema := data.schema_of(one)) is not None)
        data.schemas.make_room(named)
        others = (one for one in named if one != self.schema and data.is_unfetched(one))
        return [self, *(UnfetchedError(data, one) for one in islice(others, ASKED_AT_ONCE - 1))]

    def fetch(self) -> bool:
        """Have the schema fetched; return whether the registry has it. Blocks.

        Raises:
            RegistryError: if it does not say.
        """
        return self.data.fetch(self.schema)

    def refuse(self) -> None:
        """Have the data refused: the registry does not have the schema."""
        self.data.refuse(self.schema)


class Told(NamedTuple):
    """What data say of themselves: the type and the id of their schema, and their JSON."""

    format: str
    json: bytes


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

    def bound(self, topic: str, *, key: bool = False) -> RegisteredData:
        """Return the format of a topic.

        Raises:
            StreamappError: if its schema is none.
        """
        if (topic, key) not in self._bound:
            format_ = None if self.format is None else self.format.bound(topic, key=key)
            self._bound[topic, key] = RegisteredData(format_, topic, key=key)
        return self._bound[topic, key]


def placed_alike(one: FormatDeclaration | None, other: FormatDeclaration | None) -> bool:
    """Tell whether a key has the same bytes, and so the same partition, in topics whose keys have these formats.

    In a registry's wire format it may have the id of another schema, whatever is declared.
    """
    return one == other and not isinstance(one, Registered)


class RegisteredData:
    """Values or keys of one topic; to be connected to the registry before the first one is read or written."""

    def __init__(self, format_: Avro | Protobuf | None, topic: str, *, key: bool = False) -> None:
        self.format, self.topic, self.key = format_, topic, key
        self.name = "registry" if format_ is None else format_.name
        #: Of what is written; they have the id of its schema, if that is not before the data.
        self.headers: Headers = ()
        #: Of what is read.
        self.schemas = KnownSchemas()
        self._registry: Registry | None = None
        self._blocks = False
        #: What stands before data that are written; None = their schema is not registered yet.
        self._begin: bytes | None = None

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
        entry = (self._registry.look_up if known else self._registry.register)(subject, schema)
        if settings.registry_ids is RegistryIds.HEADERS:
            header = KEY_HEADER if self.key else VALUE_HEADER
            self._begin, self.headers = b"", ((header, frame(entry.guid or entry.id, path)),)
        else:
            self._begin = frame(entry.id, path)
        return entry.id

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
        return self._made(framed, self._reader(framed.schema).reader.json)

    def bare(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return data as they are in the declared schema, with nothing that tells it; raises as `to_json` does.

        Where the declared schema wrote them, they are not looked at.
        """
        framed = self._framed(data, headers)
        return self._made(framed, self._reader(framed.schema).reader.bare)

    def unframed(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return data as they are in the schema that wrote them, whichever that is.

        Raises:
            Undecodable: if they do not say which that is.
        """
        framed = self._framed(data, headers)
        return self._made(framed, lambda one: one.message()[1]) if isinstance(self.format, Protobuf) else framed.data

    def told(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> Told | None:
        """Return the JSON of data with what they say of themselves, None if that is nothing; raises as `to_json`."""
        try:
            framed = read_frame(data, headers, key=self.key)
        except WireError:
            return None
        known = self._reader(framed.schema)
        return Told(f"{known.type}, schema {framed.schema}", self._made(framed, known.reader.json))

    def from_json(self, data: bytes) -> bytes:
        """Return the data for JSON.

        Raises:
            Undecodable: if the schema has no place for it.
        """
        if self.format is None:
            raise StreamappError(f"{self.topic} declares no schema to write with: Registered(Avro(…))")
        return self.framed(self.format.from_json(data))

    def framed(self, data: bytes) -> bytes:
        """Return data of the declared schema as they are written, along with `headers`."""
        if self._begin is None:
            raise StreamappError(f"{self.topic}: nothing can be written before its schema is registered")
        return self._begin + data

    def fetch(self, schema: SchemaId) -> bool:
        """Have a schema fetched; return whether the registry has it. Blocks.

        Raises:
            RegistryError: if it does not say.
        """
        if self._registry is None:
            raise StreamappError(f"{self.topic}: there is no registry to ask for schema {schema}")
        try:
            found = self._registry.schema(schema)
            self.schemas.add(schema, KnownSchema(found.type.lower(), reader_of(found, self.format)))
        except UnknownSchema:
            return False
        except (RegistryError, MissingExtraError):
            raise  # it is no fault of the schema's
        except StreamappError as exc:
            self.schemas.refuse(schema, str(exc))
        return True

    def refuse(self, schema: SchemaId) -> None:
        """Have data of a schema refused for a while: the registry does not have it."""
        place = "the registry" if self._registry is None else self._registry.place
        self.schemas.refuse(schema, f"{place} does not have it")

    def schema_of(self, record: Record) -> SchemaId | None:
        """Return the id of the schema that a record says its value, or key, is of; None = it says none."""
        data = record.key if self.key else record.value
        try:
            return None if data is None else read_frame(data, getattr(record, "headers", ()), key=self.key).schema
        except WireError:
            return None

    def is_unfetched(self, schema: SchemaId) -> bool:
        """Return whether a schema is to be fetched before its data can be read, or refused."""
        return schema not in self.schemas.readers and self.schemas.why_refused(schema) is None

    def _framed(self, data: bytes, headers: Iterable[tuple[str, bytes | None]]) -> Framed:
        try:
            return read_frame(data, headers, key=self.key)
        except WireError as exc:
            raise Undecodable(REASONS.get(self.name, Reason.UNKNOWN_SCHEMA), str(exc)) from None

    def _reader(self, schema: SchemaId) -> KnownSchema:
        if (known := self.schemas.readers.get(schema)) is not None:
            return known
        if (why := self.schemas.why_refused(schema)) is not None:
            raise Undecodable(Reason.UNKNOWN_SCHEMA, f"schema {schema}: {why}")
        if not self._blocks:
            raise UnfetchedError(self, schema)
        self.schemas.make_room(())
        if not self.fetch(schema):
            self.refuse(schema)
        return self._reader(schema)

    def _made(self, framed: Framed, make: Make) -> bytes:
        try:
            return make(framed)
        except (Undecodable, WireError) as exc:
            reason = exc.reason if isinstance(exc, Undecodable) else Reason.NOT_PROTOBUF
            raise Undecodable(reason, f"schema {framed.schema}: {exc}") from None
