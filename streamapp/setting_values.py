"""The values of settings, as the text of an environment variable has them.

Each function returns the value, or raises a `ValueError` that says what it must be.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

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
    "anything",
    "app_id",
    "bootstrap_servers",
    "click_topics",
    "host",
    "is_unspecified",
    "one_of",
    "path",
    "reached_as",
    "retention",
    "seconds",
    "seconds_or_none",
    "share",
    "store_url",
    "text",
    "token",
    "topic_name",
    "type_name",
    "whole_number",
]

PREFIX: Final = "STREAMAPP_"
#: Schemes of the stores' URLs that are a Redis.
REDIS: Final = ("redis", "rediss")
#: URL of the store on this machine's disk.
ROCKSDB: Final = "rocksdb://"

#: A retention that never ends.
KEEP_ALL: Final = -1.0

#: Seconds that a setting may have, 300 years: a time and so many more are still a number of 64 bits of milliseconds.
LONGEST: Final = 1e10

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
#: The name of a host, or its IPv4 address.
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
#: A host name or an address; no "user:password@", which would be taken for a part of the name.
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")


def text(value: str) -> str:
    """Return text that is not blank."""
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


def anything(value: str) -> str:
    """Return the text as it is."""
    return value


def topic_name(value: str) -> str:
    """Return a part of a topic's name."""
    if not _TOPIC.fullmatch(value):
        raise ValueError("must be made of ASCII letters, digits, '.', '_' and '-' only, 200 at most")
    return value


def app_id(value: str) -> str:
    """Return the id of an app."""
    return topic_name(text(value))


def token(value: str) -> str:
    """Return a token; "" is none."""
    if value and not _TOKEN.fullmatch(value):
        raise ValueError("must be 16 ASCII characters or more, without spaces")
    return value


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return number

    return parse


def seconds(low: float, high: float = LONGEST) -> Callable[[str], float]:
    """Return what reads a number of seconds within these bounds."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"must be a number of seconds, at least {low:g} and at most {high:,.0f}")
        return number

    return parse


def seconds_or_none(value: str) -> float:
    """Return a number of seconds; -1 stands for none."""
    return -1.0 if value.strip() == "-1" else seconds(0)(value)


def share(value: str) -> float:
    """Return a share, more than 0 and at most 1."""
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise ValueError("must be a share: more than 0, at most 1 (= never)")
    return number


def retention(value: str) -> float | None:
    """Return a number of seconds, `KEEP_ALL`, or None for what the broker does."""
    if value.strip() == "broker":
        return None
    try:
        return KEEP_ALL if value.strip() == "-1" else seconds(1)(value)
    except ValueError as exc:
        raise ValueError(f"{exc}, -1 or broker") from None


def one_of(choices: Iterable[enum.StrEnum]) -> Callable[[str], Any]:
    """Return what reads one of some choices."""
    names = {choice.value: choice for choice in choices}

    def parse(value: str) -> enum.StrEnum:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return names[value]

    return parse


def bootstrap_servers(value: str) -> str:
    """Return bootstrap servers, HOST:PORT with commas between."""
    servers = value.strip().removeprefix("kafka://").split(",")
    for server in servers:
        host, _, port = server.strip().rpartition(":")
        if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be HOST:PORT, or several of them with commas between")
    return ",".join(server.strip() for server in servers)


def host(value: str) -> str:
    """Read a host name or an address; one of IPv6 with or without brackets."""
    name = value.strip()
    if ":" not in name and "%" not in name and "[" not in name:
        if not _NAME.fullmatch(name):
            raise ValueError("must be a host name or an address, without a port")
        return name
    try:
        return str(ipaddress.IPv6Address(name[1:-1] if name[:1] + name[-1:] == "[]" else name))
    except ValueError:
        raise ValueError("must be a host name or an address, without a port") from None


def reached_as(value: str) -> str:
    """Return a name by which other hosts reach this one; "" is none."""
    name = host(value) if value.strip() else ""
    if "%" in name:
        raise ValueError("must have no zone: other hosts have other ones")
    if name and is_unspecified(name):
        raise ValueError("must be a name or an address of this host: no other one reaches it by this one")
    return name


def is_unspecified(host: str) -> bool:
    """Return whether an address stands for all addresses of a host."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def store_url(value: str) -> str:
    """Return the URL of a store."""
    if value.strip() not in {"memory://", ROCKSDB}:
        url = urlsplit(value.strip())
        if url.scheme not in REDIS or not url.hostname or not _REDIS.fullmatch(url.path + url.query + url.fragment):
            raise ValueError("must be rocksdb://, memory:// or redis://HOST:PORT/DB (rediss:// with TLS)")
        _ = url.port  # a ValueError if it is none
        if url.password is not None:
            raise ValueError(f"the password goes into {PREFIX}STORE_PASSWORD: URLs are shown in logs")
    return value.strip()


def type_name(value: str) -> str:
    """Return where a type is, MODULE:NAME; "" is nowhere."""
    if not _TYPE.fullmatch(value.strip()):
        raise ValueError("must be MODULE:NAME, a msgspec.Struct that can be imported")
    return value.strip()


def click_topics(value: str) -> tuple[str, ...]:
    """Return names of the topics of clicks and profiles."""
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not {CLICKS, PROFILES}.issuperset(names):
        raise ValueError(f"must be {CLICKS}, {PROFILES}, or both with a comma between, without {PREFIX}TOPIC_PREFIX")
    return tuple(dict.fromkeys(names))


def path(value: str) -> Path:
    """Return a path."""
    try:
        return Path(text(value)).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"cannot be used: {exc}") from None
