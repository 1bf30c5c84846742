"""A schema registry of Confluent's API (Confluent, Karapace, Apicurio, …): schemas by id, and ids of schemas.

What was fetched is kept, within bounds: a schema never changes. Two kinds of trouble are told apart. That the registry
does not have a schema is that record's fault; that it does not answer, or refuses us, is no record's. So a refusal of
an id counts only where the registry answers what is surely right: a wrong path, or a proxy before a registry that is
still to start, refuses whatever it is asked.
"""

from __future__ import annotations

import enum
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.formats.wire_format import SchemaId
from streamapp.settings import PREFIX, Settings

if TYPE_CHECKING:
    from confluent_kafka import schema_registry

__all__ = ["Entry", "Registry", "RegistryAwayError", "RegistryError", "Schema", "SchemaType", "UnknownSchema"]

#: Seconds that the registry has for an answer.
ANSWER_TIMEOUT_S: Final = 5.0
#: Error codes of the registry's API: a schema, a subject or a version that it does not have.
NOT_FOUND: Final = frozenset({40401, 40402, 40403})
#: Of HTTP, with which a registry refuses a schema: incompatible, or no schema at all.
CONFLICT, UNPROCESSABLE = 409, 422
#: With which it refuses us.
UNAUTHORIZED: Final = frozenset({401, 403})
#: With which it refuses an id, if it does answer otherwise: registries differ in what they say of one that cannot be.
NO_SUCH_ID: Final = frozenset({400, 404, 405, 410, UNPROCESSABLE})
#: What a registry says of each difference that makes a schema incompatible, beside all of the earlier one.
DIFFERENCE: Final = re.compile(r"description: ?['\"](.+?)['\"], additionalInfo")
#: Schemas that are kept, with what they refer to.
SCHEMAS_AT_MOST: Final = 1_000
#: What is left of what a registry says.
ANSWER_CHARACTERS: Final = 500

T = TypeVar("T")


class RegistryError(StreamappError):
    """The registry refuses a schema, or us; the text is one line that names the subject, if it is about one.

    Args:
        text: the line.
        status: of HTTP; 0 = there was no answer.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class RegistryAwayError(RegistryError):
    """The registry does not answer, or not as one does: what is asked now may be answered later."""


class UnknownSchema(LookupError):
    """The registry does not have a schema."""


class SchemaType(enum.StrEnum):
    """What a schema is, as the registry's API names it."""

    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    JSON = "JSON"


class Schema(msgspec.Struct, frozen=True):
    """A schema, and those that it refers to, by their names in it."""

    type: SchemaType
    text: str
    references: Mapping[str, Schema] = {}


class Entry(NamedTuple):
    """A schema as a version of a subject."""

    id: int
    version: int
    #: Of the schema, wherever it is registered; registries before Confluent Platform 8 give none.
    guid: uuid.UUID | None = None

    @classmethod
    def of(cls, found: schema_registry.RegisteredSchema) -> Self:
        """Return what a registry has answered."""
        return cls(found.schema_id or 0, found.version or 0, uuid.UUID(found.guid) if found.guid else None)


class Registry:
    """The schemas of a registry, for any number of threads.

    Args:
        settings: where it is (``STREAMAPP_REGISTRY_…``).

    Raises:
        MissingExtraError: if the packages of the extra `registry` are not installed.
    """

    def __init__(self, settings: Settings) -> None:
        require(Extra.REGISTRY)
        from confluent_kafka.schema_registry import SchemaRegistryClient  # of the extra; its import takes 0.3 s

        self.place = f"the schema registry at {settings.registry_url} ({PREFIX}REGISTRY_URL)"
        self._client = SchemaRegistryClient(_configuration(settings))
        self._lock = threading.Lock()
        self._schemas: dict[SchemaId, Schema] = {}

    def schema(self, schema: SchemaId) -> Schema:
        """Return a schema, which is fetched if it was not yet; blocks then.

        Raises:
            UnknownSchema: if the registry does not have it.
            RegistryError: if it does not say.
            StreamappError: if it is of a kind that is not known here.
        """
        with self._lock:  # many ask for the same one at once
            if (known := self._schemas.get(schema)) is None:
                if len(self._schemas) == SCHEMAS_AT_MOST:
                    self._schemas.clear()
                    self._client.clear_caches()  # type: ignore[no-untyped-call]  # it keeps them, too
                known = self._schemas[schema] = self._of_id(schema)
            return known

    def ask(self) -> None:
        """See that it answers; blocks.

        Raises:
            RegistryError: if it does not, or refuses us.
        """
        self._asked("", self._client.get_subjects)

    def register(self, subject: str, schema: Schema) -> Entry:
        """Return what a schema is registered as, which is done if need be; blocks.

        Those that it refers to are registered before, each under its name in it, as Confluent's serializers have it.

        Raises:
            RegistryError: if the registry does not take it, such as one that is incompatible with the subject's others.
        """
        theirs = self._theirs(schema, self.register)
        found = self._asked(subject, lambda: self._client.register_schema_full_response(subject, theirs))
        if found.version is None:  # many say the id alone
            found = self._asked(subject, lambda: self._client.lookup_schema(subject, theirs))
        return Entry.of(found)

    def look_up(self, subject: str, schema: Schema) -> Entry:
        """Return what a schema is registered as already; blocks.

        Raises:
            RegistryError: if it is not.
        """
        theirs = self._theirs(schema, self.look_up)
        try:
            return Entry.of(self._asked(subject, lambda: self._client.lookup_schema(subject, theirs)))
        except UnknownSchema:
            raise RegistryError(
                f"{subject} in {self.place} does not have the schema that is declared: register it there, or let it be "
                f"registered at the start ({PREFIX}REGISTRY_SCHEMAS=register)"
            ) from None

    def _theirs(self, schema: Schema, entry: Callable[[str, Schema], Entry]) -> schema_registry.Schema:
        """Return a schema as the client has it, once those that it refers to have their entries."""
        from confluent_kafka import schema_registry

        references = [
            schema_registry.SchemaReference(name, name, entry(name, other).version)
            for name, other in schema.references.items()
        ]
        return schema_registry.Schema(schema.text, schema.type.value, references)

    def _of_id(self, schema: SchemaId) -> Schema:
        try:
            return self._asked("", lambda: self._fetched(schema))
        except UnknownSchema:
            pass
        except RegistryError as exc:
            if exc.status not in NO_SUCH_ID:
                raise
            self.ask()  # it is right in whatever registry: what does not answer this says nothing of the id either
        raise UnknownSchema(f"{self.place} does not have it")

    def _fetched(self, schema: SchemaId) -> Schema:
        client = self._client
        return self._read(
            client.get_schema_by_guid(str(schema)) if isinstance(schema, uuid.UUID) else client.get_schema(schema)
        )

    def _read(self, theirs: schema_registry.Schema) -> Schema:
        """Return a schema of the client, with those that it refers to."""
        kind = theirs.schema_type or SchemaType.AVRO
        if kind not in {*SchemaType}:
            raise StreamappError(f"it is of {kind}, which is not read here: {', '.join(SchemaType)}")
        references = {
            reference.name or "": self._read(
                self._client.get_version(reference.subject or "", reference.version or "latest").schema
            )
            for reference in theirs.references or ()
        }
        return Schema(SchemaType(kind), theirs.schema_str or "", references)

    def _asked(self, subject: str, question: Callable[[], T]) -> T:
        from confluent_kafka.schema_registry import SchemaRegistryError
        from httpx2 import TransportError

        of = f"{subject}: " if subject else ""
        try:
            return question()
        except SchemaRegistryError as exc:
            why, status = _line(f"{exc.error_message}"), exc.http_status_code
            if exc.error_code in NOT_FOUND:
                raise UnknownSchema(why) from None
            if status in UNAUTHORIZED:
                names = f"{PREFIX}REGISTRY_USERNAME and {PREFIX}REGISTRY_PASSWORD, or {PREFIX}REGISTRY_TOKEN"
                raise RegistryError(f"{of}{self.place} refuses us ({status}): see {names}", status) from None
            if status == CONFLICT:
                raise RegistryError(
                    f"{of}{self.place} does not take the schema, which is not compatible with an earlier one of the "
                    f"subject: {why}; change it so that it is (a field that is added needs a default), or have the "
                    f"subject allow it (PUT …/config/{subject})",
                    status,
                ) from None
            if status == UNPROCESSABLE:
                raise RegistryError(f"{of}{self.place} does not take the schema: {why}", status) from None
            raise RegistryAwayError(f"{of}{self.place} answers {status}: {why}", status) from None
        # What answers may be no registry, and speak no JSON, or another one.
        except (TransportError, ValueError, TypeError, AttributeError) as exc:
            why = _line(f"{exc}") or type(exc).__name__
            raise RegistryAwayError(f"{of}{self.place} does not answer: {why}") from None


def _line(answer: str) -> str:
    """Return what a registry says in one line; of differences between schemas what they are, not the schemas."""
    if differences := DIFFERENCE.findall(answer):
        answer = "; ".join(dict.fromkeys(differences))
    line = " ".join(answer.split())
    return line if len(line) <= ANSWER_CHARACTERS else f"{line[:ANSWER_CHARACTERS]}…"


def _configuration(settings: Settings) -> dict[str, object]:
    """Return the settings as confluent-kafka's client names them; it is not to try again by itself, untold."""
    config: dict[str, object] = {"url": settings.registry_url, "timeout": ANSWER_TIMEOUT_S, "max.retries": 0}
    files = {
        "ca": settings.registry_cafile,
        "certificate": settings.registry_certfile,
        "key": settings.registry_keyfile,
    }
    config |= {f"ssl.{name}.location": path for name, path in files.items() if path}
    if settings.registry_username:
        config["basic.auth.user.info"] = f"{settings.registry_username}:{settings.registry_password}"
    if settings.registry_token:
        config |= {
            "bearer.auth.credentials.source": "STATIC_TOKEN",
            "bearer.auth.token": settings.registry_token,
            "bearer.auth.logical.cluster": settings.registry_cluster,
        }
    return config
