"""Settings: the only place that reads the environment.

Every setting is an environment variable named ``STREAMAPP_`` and the field's name in capitals. A name that
is not listed here, or a value that cannot be used, is a `SettingsError`: one line that names the variable.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from streamapp.joins import How

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
    "Settings",
    "SettingsError",
]

PREFIX: Final = "STREAMAPP_"
#: Schemes of the stores' URLs that are a Redis.
REDIS: Final = ("redis", "rediss")
#: URL of the store on this machine's disk.
ROCKSDB: Final = "rocksdb://"

#: A retention that never ends.
KEEP_ALL: Final = -1.0

#: Names of the topics, before the prefix.
CLICKS: Final = "user_clicks"
PROFILES: Final = "user_profiles"
JOINED: Final = "joined_data"
UNMATCHED: Final = "unmatched_clicks"
DEAD_LETTERS: Final = "dead_letters"


#: What Kafka allows in the name of a topic; it may have 249 characters, of which these are a part.
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{0,200}")
#: What an HTTP header can have, and nobody guesses.
_TOKEN: Final = re.compile(r"[!-~]{16,}")
#: The path of a Redis' URL: the number of the database.
_REDIS: Final = re.compile(r"(/[0-9]{0,5})?")
#: Where a type is: a module, and its name there.
_TYPE: Final = re.compile(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?")
#: A host name or an address; no "user:password@", which would be taken for a part of the name.
#: The name of a host, or its IPv4 address.
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")


class SettingsError(ValueError):
    """A setting that cannot be used; its text is one line that names the variable."""


class Guarantee(enum.StrEnum):
    """Faust's processing guarantees."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class OnFailure(enum.StrEnum):
    """What becomes of a record that an agent fails on each time."""

    DEAD_LETTER = "dead_letter"
    STOP = "stop"


class Create(enum.StrEnum):
    """Which input topics are made if they are missing; all others, such as those of results, always are."""

    #: Those that the app declares as its own (`App.batches`, ``create=True``), as this one's clicks and profiles are.
    OWN = "own"
    MISSING = "missing"
    NEVER = "never"


class OnLost(enum.StrEnum):
    """What becomes of a worker when records are gone before it has read them."""

    GO_ON = "go_on"
    STOP = "stop"


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


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def _anything(value: str) -> str:
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        raise ValueError("must be made of ASCII letters, digits, '.', '_' and '-' only, 200 at most")
    return value


def _id(value: str) -> str:
    return _topic(_text(value))


def _token(value: str) -> str:
    if value and not _TOKEN.fullmatch(value):
        raise ValueError("must be 16 ASCII characters or more, without spaces")
    return value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return number

    return parse


def _seconds(low: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number < float("inf"):
            raise ValueError(f"must be a number of seconds, at least {low:g}")
        return number

    return parse


def _or_none(value: str) -> float:
    return -1.0 if value.strip() == "-1" else _seconds(0)(value)


def _share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise ValueError("must be a share: more than 0, at most 1 (= never)")
    return number


def _retention(value: str) -> float | None:
    if value.strip() == "broker":
        return None
    try:
        return KEEP_ALL if value.strip() == "-1" else _seconds(1)(value)
    except ValueError as exc:
        raise ValueError(f"{exc}, -1 or broker") from None


def _one_of(choices: Iterable[enum.StrEnum]) -> Callable[[str], Any]:
    names = {choice.value: choice for choice in choices}

    def parse(value: str) -> enum.StrEnum:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return names[value]

    return parse


def _broker(value: str) -> str:
    servers = value.strip().removeprefix("kafka://").split(",")
    for server in servers:
        host, _, port = server.strip().rpartition(":")
        if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be HOST:PORT, or several of them with commas between")
    return ",".join(server.strip() for server in servers)


def _host(value: str) -> str:
    """Read a host name or an address; one of IPv6 with or without brackets."""
    host = value.strip()
    if ":" not in host and "%" not in host and "[" not in host:
        if not _NAME.fullmatch(host):
            raise ValueError("must be a host name or an address, without a port")
        return host
    try:
        return str(ipaddress.IPv6Address(host[1:-1] if host[:1] + host[-1:] == "[]" else host))
    except ValueError:
        raise ValueError("must be a host name or an address, without a port") from None


def _reached_as(value: str) -> str:
    host = _host(value) if value.strip() else ""
    if "%" in host:
        raise ValueError("must have no zone: other hosts have other ones")
    if host and _is_unspecified(host):
        raise ValueError("must be a name or an address of this host: no other one reaches it by this one")
    return host


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _store(value: str) -> str:
    if value.strip() not in {"memory://", ROCKSDB}:
        url = urlsplit(value.strip())
        if url.scheme not in REDIS or not url.hostname or not _REDIS.fullmatch(url.path + url.query + url.fragment):
            raise ValueError("must be rocksdb://, memory:// or redis://HOST:PORT/DB (rediss:// with TLS)")
        _ = url.port  # a ValueError if it is none
        if url.password is not None:
            raise ValueError(f"the password goes into {PREFIX}STORE_PASSWORD: URLs are shown in logs")
    return value.strip()


def _type(value: str) -> str:
    if not _TYPE.fullmatch(value.strip()):
        raise ValueError("must be MODULE:NAME, a msgspec.Struct that can be imported")
    return value.strip()


def _topics_in(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not {CLICKS, PROFILES}.issuperset(names):
        raise ValueError(f"must be {CLICKS}, {PROFILES}, or both with a comma between, without {PREFIX}TOPIC_PREFIX")
    return tuple(dict.fromkeys(names))


def _path(value: str) -> Path:
    try:
        return Path(_text(value)).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"cannot be used: {exc}") from None


def _setting(default: Any, parse: Callable[[str], Any], text: str) -> Any:
    return dataclasses.field(default=default, metadata={"parse": parse, "help": text})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings with their defaults; `Settings.from_environment` makes one from ``os.environ``."""

    broker: str = _setting("127.0.0.1:9092", _broker, "bootstrap servers, HOST:PORT[,HOST:PORT]")
    id: str = _setting("streamapp", _id, "the app's id: its consumer group and part of topic names")
    store: str = _setting(ROCKSDB, _store, "where tables are kept: rocksdb://, memory:// or redis://HOST:PORT/DB")
    store_password: str = dataclasses.field(
        default="", repr=False, metadata={"parse": _anything, "help": "password of the Redis"}
    )
    datadir: Path = _setting(Path("streamapp-data"), _path, "directory of the tables and the embedded Kafka")
    web_port: int = _setting(6066, _whole(1, 65535), "port of the web views")
    web_bind: str = _setting("127.0.0.1", _host, "address the web views listen on")
    web_host: str = _setting(
        "",
        _reached_as,
        "name by which others reach the web views (default: web_bind, or the host's name if that is 0.0.0.0 or ::)",
    )
    web_token: str = dataclasses.field(
        default="",
        repr=False,
        metadata={"parse": _token, "help": "what web requests must show; a must for other addresses than loopback's"},
    )
    topic_prefix: str = _setting("", _topic, "put before the name of every topic")
    joined_topic: str = _setting("", _topic, "full name of the output topic (default: prefix + joined_data)")
    processing_guarantee: Guarantee = _setting(
        Guarantee.AT_LEAST_ONCE, _one_of(Guarantee), "at_least_once or exactly_once"
    )
    profile_ttl: float = _setting(300.0, _seconds(0), "seconds of event time after which a profile expires; 0 = never")
    join: How = _setting(How.INNER, _one_of([How.INNER, How.LEFT]), "inner, or left: clicks without a profile too")
    rekey: tuple[str, ...] = _setting(
        (),
        _topics_in,
        f"topics that are not keyed by the user id: {CLICKS}, {PROFILES} or both; written once more by it",
    )
    click_type: str = _setting("", _type, "what clicks must be: MODULE:NAME of a msgspec.Struct (default: any object)")
    profile_type: str = _setting("", _type, "what profiles must be, likewise")
    partitions: int = _setting(8, _whole(1, 10_000), "partitions of the topics that have to be created")
    replication: int = _setting(1, _whole(1, 100), "replication factor of the topics that have to be created")
    create: Create = _setting(
        Create.OWN,
        _one_of(Create),
        "input topics that are made if they are missing: own (the app's own), missing, never",
    )
    alarm_share: float = _setting(
        0.5, _share, "share of a topic's records, rejected or unmatched, above which the worker is not ready; 1 = never"
    )
    retention: float | None = _setting(
        KEEP_ALL,
        _retention,
        "seconds of event time that input and output topics which have to be created keep their records; -1 = all, "
        "broker = as the broker does",
    )
    standbys: int = _setting(0, _whole(0, 10), "workers that keep the rows of a partition besides the one that owns it")
    cache: int = _setting(
        256 << 20, _whole(1 << 20, 1 << 40), "bytes of hot rows and of RocksDB's write buffers, for the whole worker"
    )
    buffer: int = _setting(
        4 << 20, _whole(1 << 16, 1 << 30), "bytes of each partition that are fetched ahead, and again that may wait"
    )
    max_idle: float = _setting(
        0.0, _or_none, "seconds that clicks wait for profiles the broker has not got; -1 = nor for those that it has"
    )
    max_ahead: float = _setting(
        60.0,
        _or_none,
        "seconds that a record may push the event clock of its partition ahead of the wall clock; -1 = any",
    )
    keep_expired: float = _setting(
        3600.0, _seconds(0), "seconds of event time that a row stays in its table after it has expired"
    )
    on_failure: OnFailure = _setting(
        OnFailure.DEAD_LETTER, _one_of(OnFailure), "dead_letter or stop: for a record that an agent fails on each time"
    )
    on_lost: OnLost = _setting(
        OnLost.GO_ON, _one_of(OnLost), "go_on or stop: when records are gone before they were read (retention, say)"
    )
    session_timeout: float = _setting(
        10.0, _seconds(6), "seconds after which a silent worker's partitions go to others"
    )
    instance_id: str = _setting("", _anything, "static member id (KIP-345); default: id, host name and web port")
    security_protocol: SecurityProtocol = _setting(
        SecurityProtocol.PLAINTEXT, _one_of(SecurityProtocol), "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: SaslMechanism = _setting(
        SaslMechanism.PLAIN, _one_of(SaslMechanism), "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str = _setting("", _anything, "user name for SASL")
    sasl_password: str = dataclasses.field(
        default="", repr=False, metadata={"parse": _anything, "help": "password for SASL"}
    )
    ssl_cafile: str = _setting("", _anything, "PEM file of the certificate authorities (default: the system's)")
    ssl_certfile: str = _setting("", _anything, "PEM file of the client certificate")
    ssl_keyfile: str = _setting("", _anything, "PEM file of the client certificate's key")

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
        values: dict[str, Any] = {}
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                continue
            field = fields.get(name)
            if field is None:
                known = ", ".join(sorted(known.removeprefix(PREFIX) for known in fields))
                raise SettingsError(f"{name} is not a setting; {PREFIX} goes with {known}")
            try:
                values[field.name] = field.metadata["parse"](value)
            except ValueError as exc:
                # What has an "@" may be a URL with a password.
                shown = "" if not field.repr or "@" in value else f"={value}".replace("\n", " ")
                raise SettingsError(f"{name}{shown}: {exc}") from None
        return cls(**values)

    @property
    def web_name(self) -> str:
        """The name by which others reach the web views, as it stands in a URL.

        The host's, where they listen on all its addresses, or on one with a zone, which others do not know.
        """
        general = _is_unspecified(self.web_bind) or "%" in self.web_bind
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
