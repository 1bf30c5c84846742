"""Settings: the only place that reads the environment.

Every setting is an environment variable named ``STREAMAPP_`` and the field's name in capitals. A name that
is not listed here, or a value that cannot be used, is a `SettingsError`: one line that names the variable.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from streamapp import setting_parsers as values
from streamapp.errors import StreamappError
from streamapp.setting_parsers import DEAD_LETTERS, KEEP_ALL, PREFIX, REDIS, ROCKSDB

__all__ = [
    "DEAD_LETTERS",
    "KEEP_ALL",
    "PREFIX",
    "REDIS",
    "ROCKSDB",
    "Compression",
    "Create",
    "Guarantee",
    "OnFailure",
    "OnLost",
    "RegistryIds",
    "RegistrySchemas",
    "Settings",
    "SettingsError",
    "Subjects",
    "setting",
]

#: Settings that are files, which have to be there.
FILES: Final = (
    *("ssl_cafile", "ssl_certfile", "ssl_keyfile"),
    *("registry_cafile", "registry_certfile", "registry_keyfile"),
)

S = TypeVar("S")
T = TypeVar("T")


class SettingsError(StreamappError, ValueError):
    """A setting that cannot be used; its text is one line that names the variable."""


class Guarantee(enum.StrEnum):
    """Faust's processing guarantees."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class OnFailure(enum.StrEnum):
    """What becomes of a record that an agent fails on each time."""

    DEAD_LETTER = "dead_letter"
    STOP = "stop"


class OnLost(enum.StrEnum):
    """What becomes of a worker when records are gone before it has read them."""

    GO_ON = "go_on"
    STOP = "stop"


class Create(enum.StrEnum):
    """Which input topics are made if they are missing; all others, such as those of results, always are."""

    #: Those that the app declares as its own (`App.topic`, ``create=True``), as this one's clicks and profiles are.
    OWN = "own"
    MISSING = "missing"
    NEVER = "never"


class Compression(enum.StrEnum):
    """How record batches are compressed that a worker sends; the names are Kafka's own."""

    NONE = "none"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


class Subjects(enum.StrEnum):
    """What a schema's subject in the registry is called by: Confluent's subject name strategies."""

    #: The topic, and -key or -value.
    TOPIC = "topic"
    #: The record's full name in the schema.
    RECORD = "record"
    #: Both: TOPIC-NAME.
    TOPIC_RECORD = "topic_record"


class RegistrySchemas(enum.StrEnum):
    """How the schemas of what is written get their ids, before anything is."""

    #: They are registered, if they are not yet.
    REGISTER = "register"
    #: They have to be registered already.
    LOOKUP = "lookup"


class RegistryIds(enum.StrEnum):
    """Where the id of the schema of what is written goes; it is read from either place."""

    #: Before the data.
    DATA = "data"
    #: Into a header of the record.
    HEADERS = "headers"


class SecurityProtocol(enum.StrEnum):
    """How to talk to the broker; the names are Kafka's own."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(enum.StrEnum):
    """SASL mechanisms that both aiokafka and librdkafka speak."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


def setting(default: S, parse: Callable[[str], T], text: str, *, secret: bool = False) -> S | T:
    """Declare a field of a dataclass of settings, with what makes its value of a text (`setting_parsers`)."""
    return dataclasses.field(default=default, repr=not secret, metadata={"parse": parse, "help": text})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings with their defaults; `Settings.from_environment` makes one from ``os.environ``."""

    broker: str = setting("127.0.0.1:9092", values.bootstrap_servers, "bootstrap servers, HOST:PORT[,HOST:PORT]")
    id: str = setting("streamapp", values.app_id, "the app's id: its consumer group and part of topic names")
    store: str = setting(ROCKSDB, values.store_url, "of tables: rocksdb://, memory:// or redis://HOST:PORT/DB")
    store_password: str = setting("", str, "password of the Redis", secret=True)
    datadir: Path = setting(Path("streamapp-data"), values.path, "directory of the tables and the embedded Kafka")
    web_port: int = setting(6066, values.whole_number(1, 65535), "port of the web views")
    web_bind: str = setting("127.0.0.1", values.host, "address the web views listen on")
    web_host: str = setting("", values.reached_as, "name by which others reach them (default: web_bind, or the host's)")
    web_token: str = setting("", values.token, "must be shown; needed for other addresses than loopback's", secret=True)
    traces: str = setting(
        "", values.web_url, "OpenTelemetry collector that gets a span of each batch: http://HOST:4318"
    )
    topic_prefix: str = setting("", values.topic_name, "put before the name of every topic")
    processing_guarantee: Guarantee = setting(
        Guarantee.AT_LEAST_ONCE, values.one_of(Guarantee), "of a record's effects"
    )
    partitions: int = setting(8, values.whole_number(1, 10_000), "partitions of the topics that have to be created")
    replication: int = setting(1, values.whole_number(1, 100), "replication factor of topics that have to be created")
    create: Create = setting(Create.OWN, values.one_of(Create), "input topics that are made if they are missing")
    alarm_share: float = setting(0.5, values.share, "of rejected or unmatched, above which it is not ready; 1 = never")
    retention: float | None = setting(KEEP_ALL, values.retention, "seconds that created topics keep records; -1 = all")
    standbys: int = setting(0, values.whole_number(0, 10), "workers that keep a partition's rows besides its owner")
    cache: int = setting(256 << 20, values.whole_number(1 << 20, 1 << 40), "bytes of hot rows and write buffers")
    buffer: int = setting(4 << 20, values.whole_number(1 << 16, 1 << 30), "bytes fetched ahead of each partition")
    fetch_min_bytes: int = setting(1, values.whole_number(1, 1 << 30), "bytes a fetch waits for, 250 ms at most")
    batch_records: int = setting(5_000, values.whole_number(1, 1_000_000), "of a partition, that agents get at once")
    linger: int = setting(0, values.whole_number(0, 1_000), "ms that a record batch waits for more results")
    compression: Compression = setting(
        Compression.SNAPPY, values.one_of(Compression), "of results, changelogs and dead letters"
    )
    commit_interval: float | None = setting(
        None, values.seconds(0.01, 3600), "seconds between commits (default: 1; with exactly_once 0.1)"
    )
    max_idle: float = setting(0.0, values.seconds_or_none, "seconds that a record waits for an idle topic; -1 = never")
    max_ahead: float = setting(60.0, values.seconds_or_none, "seconds of event clocks before the wall clock; -1 = any")
    keep_expired: float = setting(3600.0, values.seconds(0), "seconds of event time that a row outlives its expiry")
    on_failure: OnFailure = setting(OnFailure.DEAD_LETTER, values.one_of(OnFailure), "of an agent, each time")
    on_lost: OnLost = setting(OnLost.GO_ON, values.one_of(OnLost), "when records are gone before they were read")
    session_timeout: float = setting(
        10.0, values.seconds(6, 2e6), "seconds until a silent worker's partitions go to others"
    )
    instance_id: str = setting("", str, "static member id (KIP-345); default: id, host name and web port")
    security_protocol: SecurityProtocol = setting(
        SecurityProtocol.PLAINTEXT, values.one_of(SecurityProtocol), "how to talk to the broker"
    )
    sasl_mechanism: SaslMechanism = setting(SaslMechanism.PLAIN, values.one_of(SaslMechanism), "how to log in")
    sasl_username: str = setting("", str, "user name for SASL")
    sasl_password: str = setting("", str, "password for SASL", secret=True)
    ssl_cafile: str = setting("", str, "PEM file of the certificate authorities (default: the system's)")
    ssl_certfile: str = setting("", str, "PEM file of the client certificate")
    ssl_keyfile: str = setting("", str, "PEM file of the client certificate's key")

    registry_url: str = setting("", values.registry_url, "schema registry, http(s)://HOST:PORT/PATH")
    registry_username: str = setting("", str, "user name, or API key, for the registry")
    registry_password: str = setting("", str, "password, or secret of the API key, for the registry", secret=True)
    registry_token: str = setting("", str, "bearer token for the registry, in place of these", secret=True)
    registry_cluster: str = setting("", str, "logical cluster that goes with the token, in Confluent Cloud")
    registry_cafile: str = setting("", str, "PEM file of the registry's certificate authorities")
    registry_certfile: str = setting("", str, "PEM file of the client certificate for the registry")
    registry_keyfile: str = setting("", str, "PEM file of that certificate's key")
    registry_subjects: Subjects = setting(Subjects.TOPIC, values.one_of(Subjects), "what names a schema's subject")
    registry_schemas: RegistrySchemas = setting(
        RegistrySchemas.REGISTER, values.one_of(RegistrySchemas), "how schemas of what is written get their ids"
    )
    registry_ids: RegistryIds = setting(
        RegistryIds.DATA, values.one_of(RegistryIds), "where they are written: before the data, or into headers"
    )

    def __post_init__(self) -> None:
        if self.uses_sasl and not (self.sasl_username and self.sasl_password):
            needed = f"{PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD"
            raise SettingsError(f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol} needs {needed}")
        if self.standbys and self.store.startswith(REDIS):
            raise SettingsError(f"{PREFIX}STANDBYS={self.standbys}: tables in Redis need none, all workers share them")
        if self.registry_token and self.registry_username:
            raise SettingsError(f"{PREFIX}REGISTRY_TOKEN and {PREFIX}REGISTRY_USERNAME exclude each other")
        for name in FILES:
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise SettingsError(f"{PREFIX}{name.upper()}={path}: there is no such file")
        if self.uses_tls:
            self.ssl_context()

    @classmethod
    def load(cls, **defaults: object) -> Self:
        """Return the settings of this process' environment; one that cannot be used ends the process in one line.

        `defaults` are of settings that the environment does not have.
        """
        try:
            return cls.from_environment(os.environ, **defaults)
        except SettingsError as exc:
            raise SystemExit(f"streamapp: {exc}") from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **defaults: object) -> Self:
        """Return the settings of variables named ``STREAMAPP_…``; the others are not looked at.

        Raises:
            SettingsError: for an unknown name or a value that cannot be used.
        """
        fields = {PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        given: dict[str, Any] = {**defaults}
        for name in (name for name in environment if name.startswith(PREFIX)):
            if name not in fields:
                known = ", ".join(sorted(known.removeprefix(PREFIX) for known in fields))
                raise SettingsError(f"{name} is not a setting; {PREFIX} goes with {known}")
            field, value = fields[name], environment[name]
            try:
                given[field.name] = field.metadata["parse"](value)
            except ValueError as exc:
                # What has an "@" may be a URL with a password.
                shown = "" if not field.repr or "@" in value else f"={value}".replace("\n", " ")
                raise SettingsError(f"{name}{shown}: {exc}") from None
        return cls(**given)

    @property
    def web_name(self) -> str:
        """The name by which others reach the web views, as it stands in a URL."""
        # The host's, where they listen on all its addresses, or on one with a zone, which others do not know.
        general = values.is_unspecified(self.web_bind) or "%" in self.web_bind
        name = self.web_host or (socket.gethostname() if general else self.web_bind)
        return f"[{name}]" if ":" in name else name

    @property
    def uses_sasl(self) -> bool:
        """Whether the broker wants a user name and a password."""
        return self.security_protocol in {SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL}

    @property
    def uses_tls(self) -> bool:
        """Whether the connection to the broker is encrypted."""
        return self.security_protocol in {SecurityProtocol.SSL, SecurityProtocol.SASL_SSL}

    def ssl_context(self) -> ssl.SSLContext:
        """Return the TLS context for a connection to the broker; a `SettingsError` if its files cannot be read."""
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile or None)
            if self.ssl_certfile:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(f"{PREFIX}SSL_CAFILE/SSL_CERTFILE/SSL_KEYFILE: {exc}") from None
        return context

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return self.topic_prefix + name

    def known_topic(self, name: str, topics: Collection[str]) -> str | None:
        """Return which of these topics is meant: the app's own of this name, or else the one with this full name."""
        return next((one for one in (self.topic(name), name) if one in topics), None)

    @property
    def isolation_level(self) -> str:
        """What is read of transactions, as aiokafka names it: with exactly_once only what is committed."""
        return "read_committed" if self.processing_guarantee is Guarantee.EXACTLY_ONCE else "read_uncommitted"

    def member_id(self, web_port: int) -> str:
        """Give the static member id: the same after a restart, so a killed worker gets its partitions back.

        Two live workers must not share one (the broker fences the older), hence the web port, which only one
        of them can have on a host.
        """
        return self.instance_id or f"{self.id}-{socket.gethostname()}-{web_port}"
