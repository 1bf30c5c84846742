"""Settings: the only place that reads the environment.

Every setting is an environment variable named ``STREAMAPP_`` and the field's name in capitals. A name that
is not listed here, or a value that cannot be used, is a `SettingsError`: one line that names the variable.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streamapp import setting_values as values
from streamapp.choices import Create, Guarantee, OnFailure, OnLost, SaslMechanism, SecurityProtocol
from streamapp.joins import How
from streamapp.setting_values import (
    CLICKS,
    DEAD_LETTERS,
    JOINED,
    KEEP_ALL,
    PREFIX,
    PROFILES,
    REDIS,
    ROCKSDB,
    UNMATCHED,
)

__all__ = [
    "CLICKS",
    "DEAD_LETTERS",
    "JOINED",
    "KEEP_ALL",
    "PREFIX",
    "PROFILES",
    "REDIS",
    "ROCKSDB",
    "UNMATCHED",
    "Create",
    "Guarantee",
    "OnFailure",
    "OnLost",
    "SaslMechanism",
    "SecurityProtocol",
    "Settings",
    "SettingsError",
]


class SettingsError(ValueError):
    """A setting that cannot be used; its text is one line that names the variable."""


def _setting(default: Any, parse: Callable[[str], Any], text: str) -> Any:
    return dataclasses.field(default=default, metadata={"parse": parse, "help": text})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings with their defaults; `Settings.from_environment` makes one from ``os.environ``."""

    broker: str = _setting("127.0.0.1:9092", values.bootstrap_servers, "bootstrap servers, HOST:PORT[,HOST:PORT]")
    id: str = _setting("streamapp", values.app_id, "the app's id: its consumer group and part of topic names")
    store: str = _setting(
        ROCKSDB, values.store_url, "where tables are kept: rocksdb://, memory:// or redis://HOST:PORT/DB"
    )
    store_password: str = dataclasses.field(
        default="", repr=False, metadata={"parse": values.anything, "help": "password of the Redis"}
    )
    datadir: Path = _setting(Path("streamapp-data"), values.path, "directory of the tables and the embedded Kafka")
    web_port: int = _setting(6066, values.whole_number(1, 65535), "port of the web views")
    web_bind: str = _setting("127.0.0.1", values.host, "address the web views listen on")
    web_host: str = _setting(
        "",
        values.reached_as,
        "name by which others reach the web views (default: web_bind, or the host's name if that is 0.0.0.0 or ::)",
    )
    web_token: str = dataclasses.field(
        default="",
        repr=False,
        metadata={
            "parse": values.token,
            "help": "what web requests must show; a must for other addresses than loopback's",
        },
    )
    topic_prefix: str = _setting("", values.topic_name, "put before the name of every topic")
    joined_topic: str = _setting("", values.topic_name, "full name of the output topic (default: prefix + joined_data)")
    processing_guarantee: Guarantee = _setting(
        Guarantee.AT_LEAST_ONCE, values.one_of(Guarantee), "at_least_once or exactly_once"
    )
    profile_ttl: float = _setting(
        300.0, values.seconds(0), "seconds of event time after which a profile expires; 0 = never"
    )
    join: How = _setting(
        How.INNER, values.one_of([How.INNER, How.LEFT]), "inner, or left: clicks without a profile too"
    )
    rekey: tuple[str, ...] = _setting(
        (),
        values.click_topics,
        f"topics that are not keyed by the user id: {CLICKS}, {PROFILES} or both; written once more by it",
    )
    click_type: str = _setting(
        "", values.type_name, "what clicks must be: MODULE:NAME of a msgspec.Struct (default: any object)"
    )
    profile_type: str = _setting("", values.type_name, "what profiles must be, likewise")
    partitions: int = _setting(8, values.whole_number(1, 10_000), "partitions of the topics that have to be created")
    replication: int = _setting(
        1, values.whole_number(1, 100), "replication factor of the topics that have to be created"
    )
    create: Create = _setting(
        Create.OWN,
        values.one_of(Create),
        "input topics that are made if they are missing: own (the app's own), missing, never",
    )
    alarm_share: float = _setting(
        0.5,
        values.share,
        "share of a topic's records, rejected or unmatched, above which the worker is not ready; 1 = never",
    )
    retention: float | None = _setting(
        KEEP_ALL,
        values.retention,
        "seconds of event time that input and output topics which have to be created keep their records; -1 = all, "
        "broker = as the broker does",
    )
    standbys: int = _setting(
        0, values.whole_number(0, 10), "workers that keep the rows of a partition besides the one that owns it"
    )
    cache: int = _setting(
        256 << 20,
        values.whole_number(1 << 20, 1 << 40),
        "bytes of hot rows and of RocksDB's write buffers, for the whole worker",
    )
    buffer: int = _setting(
        4 << 20,
        values.whole_number(1 << 16, 1 << 30),
        "bytes of each partition that are fetched ahead, and again that may wait",
    )
    max_idle: float = _setting(
        0.0,
        values.seconds_or_none,
        "seconds that clicks wait for profiles the broker has not got; -1 = nor for those that it has",
    )
    max_ahead: float = _setting(
        60.0,
        values.seconds_or_none,
        "seconds that a record may push the event clock of its partition ahead of the wall clock; -1 = any",
    )
    keep_expired: float = _setting(
        3600.0, values.seconds(0), "seconds of event time that a row stays in its table after it has expired"
    )
    on_failure: OnFailure = _setting(
        OnFailure.DEAD_LETTER,
        values.one_of(OnFailure),
        "dead_letter or stop: for a record that an agent fails on each time",
    )
    on_lost: OnLost = _setting(
        OnLost.GO_ON,
        values.one_of(OnLost),
        "go_on or stop: when records are gone before they were read (retention, say)",
    )
    session_timeout: float = _setting(
        10.0, values.seconds(6, 2_000_000), "seconds after which a silent worker's partitions go to others"
    )
    instance_id: str = _setting("", values.anything, "static member id (KIP-345); default: id, host name and web port")
    security_protocol: SecurityProtocol = _setting(
        SecurityProtocol.PLAINTEXT, values.one_of(SecurityProtocol), "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: SaslMechanism = _setting(
        SaslMechanism.PLAIN, values.one_of(SaslMechanism), "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str = _setting("", values.anything, "user name for SASL")
    sasl_password: str = dataclasses.field(
        default="", repr=False, metadata={"parse": values.anything, "help": "password for SASL"}
    )
    ssl_cafile: str = _setting("", values.anything, "PEM file of the certificate authorities (default: the system's)")
    ssl_certfile: str = _setting("", values.anything, "PEM file of the client certificate")
    ssl_keyfile: str = _setting("", values.anything, "PEM file of the client certificate's key")

    def __post_init__(self) -> None:
        if self.uses_sasl and not (self.sasl_username and self.sasl_password):
            raise SettingsError(
                f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol} needs {PREFIX}SASL_USERNAME and "
                f"{PREFIX}SASL_PASSWORD"
            )
        if self.standbys and self.store.startswith(REDIS):
            raise SettingsError(f"{PREFIX}STANDBYS={self.standbys}: tables in Redis need none, all workers share them")
        if self.joined_topic in {self.topic(name) for name in (CLICKS, PROFILES, UNMATCHED, DEAD_LETTERS)}:
            raise SettingsError(
                f"{PREFIX}JOINED_TOPIC={self.joined_topic}: the results need a topic of their own, and that one has "
                "other records"
            )
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise SettingsError(f"{PREFIX}{name.upper()}={path}: there is no such file")
        if self.uses_tls:
            self.ssl_context()

    @classmethod
    def load(cls) -> Settings:
        """Make settings from the environment of this process; one that cannot be used ends it in one line."""
        try:
            return cls.from_environment(os.environ)
        except SettingsError as exc:
            raise SystemExit(f"streamapp: {exc}") from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Make settings from variables named ``STREAMAPP_…``; the others are not looked at.

        Raises:
            SettingsError: for an unknown name or a value that cannot be used.
        """
        fields = {PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        given: dict[str, Any] = {}
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                continue
            field = fields.get(name)
            if field is None:
                known = ", ".join(sorted(known.removeprefix(PREFIX) for known in fields))
                raise SettingsError(f"{name} is not a setting; {PREFIX} goes with {known}")
            try:
                given[field.name] = field.metadata["parse"](value)
            except ValueError as exc:
                # What has an "@" may be a URL with a password.
                shown = "" if not field.repr or "@" in value else f"={value}".replace("\n", " ")
                raise SettingsError(f"{name}{shown}: {exc}") from None
        return cls(**given)

    @property
    def web_name(self) -> str:
        """The name by which others reach the web views, as it stands in a URL.

        The host's, where they listen on all its addresses, or on one with a zone, which others do not know.
        """
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
        """Make the TLS context for a connection to the broker.

        Raises:
            SettingsError: if the certificate or its key cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile or None)
            if self.ssl_certfile:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(f"{PREFIX}SSL_CAFILE/SSL_CERTFILE/SSL_KEYFILE: {exc}") from None
        return context

    def librdkafka(self) -> dict[str, str]:
        """Give the connection settings as librdkafka (confluent-kafka) names them."""
        config = {"bootstrap.servers": self.broker, "security.protocol": self.security_protocol.value}
        if self.uses_sasl:
            config |= {
                "sasl.mechanism": self.sasl_mechanism.value,
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password,
            }
        if self.uses_tls:
            files = {"ca": self.ssl_cafile, "certificate": self.ssl_certfile, "key": self.ssl_keyfile}
            config |= {f"ssl.{name}.location": path for name, path in files.items() if path}
        return config

    def topic(self, name: str) -> str:
        """Give the full name of a topic: the joined one as it was set, the others with the prefix."""
        if name == JOINED and self.joined_topic:
            return self.joined_topic
        return self.topic_prefix + name

    def aiokafka(self) -> dict[str, Any]:
        """Give the connection settings as aiokafka names them."""
        config: dict[str, Any] = {
            "bootstrap_servers": self.broker,
            "security_protocol": self.security_protocol.value,
        }
        if self.uses_sasl:
            config |= {
                "sasl_mechanism": self.sasl_mechanism.value,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.uses_tls:
            config["ssl_context"] = self.ssl_context()
        return config

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
