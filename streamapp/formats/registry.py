"""A schema registry of Confluent's API (Confluent, Karapace, Apicurio, …): schemas by id, and ids of schemas.

What was fetched is kept: a schema never changes. Two kinds of trouble are told apart. That the registry does not have
a schema is that record's fault; that it does not answer, or refuses us, is no record's.
"""

from __future__ import annotations

import enum
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.formats.wire_format import SchemaId
from streamapp.settings import PREFIX, Settings

if TYPE_CHECKING:
    from confluent_kafka import schema_registry

__all__ = ["Registry", "RegistryAwayError", "RegistryError", "Schema", "SchemaType", "UnknownSchema"]

#: Seconds that the registry has for an answer.
ANSWER_TIMEOUT_S: Final = 5.0
#: Error codes of the registry's API: a schema, a subject or a version that it does not have.
NOT_FOUND: Final = frozenset({40401, 40402, 40403})
#: Of HTTP, with which a registry refuses a schema: incompatible, or no schema at all.
CONFLICT, UNPROCESSABLE = 409, 422
#: With which it refuses us.
UNAUTHORIZED: Final = frozenset({401, 403})

T = TypeVar("T")


class RegistryError(StreamappError):
    """The registry refuses a schema, or us; the text is one line that names the subject, if it is about one."""


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
    """A schema, and those that it refers to: by their names in it, each after those that it needs itself."""

    type: SchemaType
    text: str
    references: Mapping[str, str] = {}


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
        """
        with self._lock:  # many ask for the same one at once
            if schema not in self._schemas:
                self._schemas[schema] = self._asked("", lambda: self._fetched(schema))
            return self._schemas[schema]

    def ask(self) -> None:
        """See that it answers; blocks.

        Raises:
            RegistryError: if it does not, or refuses us.
        """
        self._asked("", self._client.get_subjects)

    def register(self, subject: str, schema: Schema) -> int:
        """Return the id of a schema, which is registered if need be; blocks.

        Raises:
            RegistryError: if the registry does not take it, such as one that is incompatible with the subject's others.
        """
        return self._asked(subject, lambda: self._client.register_schema(subject, _theirs(schema)))

    def look_up(self, subject: str, schema: Schema) -> int:
        """Return the id that a schema has already; blocks.

        Raises:
            RegistryError: if it has none.
        """
        try:
            return cast(
                int, self._asked(subject, lambda: self._client.lookup_schema(subject, _theirs(schema)).schema_id)
            )
        except UnknownSchema:
            raise RegistryError(
                f"{subject} in {self.place} does not have the schema that is declared: register it there, or let it be "
                f"registered at the start ({PREFIX}REGISTRY_SCHEMAS=register)"
            ) from None

    def _fetched(self, schema: SchemaId) -> Schema:
        client = self._client
        theirs = client.get_schema_by_guid(str(schema)) if isinstance(schema, uuid.UUID) else client.get_schema(schema)
        references: dict[str, str] = {}
        self._refer(theirs, references)
        return Schema(SchemaType(theirs.schema_type or SchemaType.AVRO), theirs.schema_str or "", references)

    def _refer(self, schema: schema_registry.Schema, found: dict[str, str]) -> None:
        for reference in schema.references or ():
            name = reference.name or ""
            if name not in found:
                referred = self._client.get_version(reference.subject or "", reference.version or "latest").schema
                self._refer(referred, found)
                found[name] = referred.schema_str or ""

    def _asked(self, subject: str, question: Callable[[], T]) -> T:
        from confluent_kafka.schema_registry import SchemaRegistryError
        from httpx2 import TransportError

        of = f"{subject}: " if subject else ""
        try:
            return question()
        except SchemaRegistryError as exc:
            why = " ".join(f"{exc.error_message}".split())
            if exc.error_code in NOT_FOUND:
                raise UnknownSchema(why) from None
            if exc.http_status_code in UNAUTHORIZED:
                names = f"{PREFIX}REGISTRY_USERNAME and {PREFIX}REGISTRY_PASSWORD, or {PREFIX}REGISTRY_TOKEN"
                raise RegistryError(f"{of}{self.place} refuses us ({exc.http_status_code}): see {names}") from None
            if exc.http_status_code in {CONFLICT, UNPROCESSABLE}:
                raise RegistryError(f"{of}{self.place} does not take the schema: {why}") from None
            raise RegistryAwayError(f"{of}{self.place} answers {exc.http_status_code}: {why}") from None
        except (TransportError, ValueError) as exc:  # a ValueError: what answers is no registry, and speaks no JSON
            why = " ".join(f"{exc}".split()) or type(exc).__name__
            raise RegistryAwayError(f"{of}{self.place} does not answer: {why}") from None


def _theirs(schema: Schema) -> schema_registry.Schema:
    from confluent_kafka import schema_registry

    return schema_registry.Schema(schema.text, schema.type.value)


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
