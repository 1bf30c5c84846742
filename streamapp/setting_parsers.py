"""The values of settings, as the text of an environment variable has them.

Each function returns the value, or raises a `ValueError` that says what it must be; some make such a function.
"""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

PREFIX: Final = "STREAMAPP_"
#: Schemes of the stores' URLs that are a Redis.
REDIS: Final = ("redis", "rediss")
#: URL of the store on this machine's disk.
ROCKSDB: Final = "rocksdb://"
#: A retention that never ends.
KEEP_ALL: Final = -1.0
#: The longest time that a setting may have, 300 years: an event time and so much more is still 64 bits of milliseconds.
LONGEST_S: Final = 1e10
#: Name of the topic for records that cannot be used, before the prefix.
DEAD_LETTERS: Final = "dead_letters"

#: The path of a Redis' URL: the number of the database.
_PATH: Final = re.compile(r"(/[0-9]{0,5})?")
#: A host name or an address; no "user:password@", which would be taken for a part of the name.
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]")

T = TypeVar("T")
N = TypeVar("N", int, float)
E = TypeVar("E", bound=enum.StrEnum)


def like(pattern: str, what: str) -> Callable[[str], str]:
    """Return what reads text of a form."""
    found = re.compile(pattern).fullmatch

    def parse(value: str) -> str:
        if not found(value):
            raise ValueError(f"must be {what}")
        return value

    return parse


#: A part of a topic's name; Kafka allows 249 characters in all.
topic_name: Final = like(r"[A-Za-z0-9._-]{0,200}", "made of ASCII letters, digits, '.', '_' and '-' only, 200 at most")
app_id: Final = like(r"[A-Za-z0-9._-]{1,200}", "made of ASCII letters, digits, '.', '_' and '-' only, 1 to 200")
#: What an HTTP header can have, and nobody guesses.
token: Final = like(r"([!-~]{16,})?", "16 ASCII characters or more, without spaces")
type_name: Final = like(r"([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?", "MODULE:NAME of an importable msgspec.Struct")


def within(kind: Callable[[str], N], low: N, high: N, what: str) -> Callable[[str], N]:
    """Return what reads a number within bounds."""

    def parse(value: str) -> N:
        with contextlib.suppress(ValueError):
            if low <= (number := kind(value)) <= high:
                return number
        raise ValueError(f"must be {what}")

    return parse


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""
    return within(int, low, high, f"a whole number from {low:,} to {high:,}")


def seconds(low: float, high: float = LONGEST_S) -> Callable[[str], float]:
    """Return what reads a number of seconds within bounds."""
    return within(float, low, high, f"a number of seconds, at least {low:g} and at most {high:,.0f}")


share: Final = within(float, sys.float_info.min, 1.0, "a share: more than 0, at most 1 (= never)")


def besides(words: Mapping[str, T], parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return what reads one of some words, or what another one reads."""

    def either(value: str) -> T:
        if value.strip() in words:
            return words[value.strip()]
        try:
            return parse(value)
        except ValueError as exc:
            raise ValueError(f"{exc}, or {' or '.join(words)}") from None

    return either


#: A number of seconds; -1 stands for none.
seconds_or_none: Final = besides({"-1": -1.0}, seconds(0))
#: A number of seconds, `KEEP_ALL`, or None for what the broker does.
retention: Final = besides({"-1": KEEP_ALL, "broker": None}, seconds(1))


def some_of(names: Iterable[str], *, least: int = 0) -> Callable[[str], tuple[str, ...]]:
    """Return what reads some of these names, at least so many, with commas between."""
    known = tuple(names)

    def parse(value: str) -> tuple[str, ...]:
        given = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        if len(given) < least or not set(known).issuperset(given):
            several = ", or several with a comma between" if len(known) > 1 else ""
            raise ValueError(f"must be {' or '.join(known)}{several}")
        return given

    return parse


def one_of(choices: Iterable[E]) -> Callable[[str], E]:
    """Return what reads one of some choices."""
    names = {choice.value: choice for choice in choices}

    def parse(value: str) -> E:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return names[value]

    return parse


def bootstrap_servers(value: str) -> str:
    """Read bootstrap servers, HOST:PORT with commas between."""
    servers = [server.strip() for server in value.strip().removeprefix("kafka://").split(",")]
    for server in servers:
        name, _, port = server.rpartition(":")
        if not _HOST.fullmatch(name) or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError("must be HOST:PORT, or several of them with commas between")
    return ",".join(servers)


def host(value: str) -> str:
    """Read a host name or an address; one of IPv6 with or without brackets."""
    name = value.strip()
    if re.fullmatch(r"[A-Za-z0-9._-]+", name):
        return name
    try:
        return str(ipaddress.IPv6Address(name[1:-1] if name[:1] + name[-1:] == "[]" else name))
    except ValueError:
        raise ValueError("must be a host name or an address, without a port") from None


def reached_as(value: str) -> str:
    """Read a name by which other hosts reach this one; "" is none."""
    name = host(value) if value.strip() else ""
    if "%" in name or is_unspecified(name):
        raise ValueError("must be a name or an address by which other hosts reach this one: not all, and no zone")
    return name


def is_unspecified(name: str) -> bool:
    """Return whether an address stands for all addresses of a host."""
    try:
        return ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


def store_url(value: str) -> str:
    """Read the URL of a store."""
    if value.strip() not in {"memory://", ROCKSDB}:
        url = urlsplit(value.strip())
        if url.scheme not in REDIS or not url.hostname or not _PATH.fullmatch(url.path + url.query + url.fragment):
            raise ValueError("must be rocksdb://, memory:// or redis://HOST:PORT/DB (rediss:// with TLS)")
        _ = url.port  # a ValueError if it is none
        if url.password is not None:
            raise ValueError(f"the password goes into {PREFIX}STORE_PASSWORD: URLs are shown in logs")
    return value.strip()


def web_url(value: str) -> str:
    """Read the URL of a web server, without a path; "" = none."""
    try:
        url = urlsplit(value)
        good = url.scheme in {"http", "https"} and url.hostname and url.path in {"", "/"} and url.port != 0
    except ValueError:
        good = False
    if value and not good:
        raise ValueError("must be http://HOST:PORT")
    return value


def registry_url(value: str) -> str:
    """Read the URL of a schema registry, or several with commas between; "" is none."""
    urls = [url.strip().rstrip("/") for url in value.split(",") if url.strip()]
    for text in urls:
        url = urlsplit(text)
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
            raise ValueError("must be http://HOST:PORT/PATH or https://HOST:PORT/PATH")
        _ = url.port  # a ValueError if it is none
        if url.username is not None:
            names = f"{PREFIX}REGISTRY_USERNAME and {PREFIX}REGISTRY_PASSWORD"
            raise ValueError(f"user and password go into {names}: URLs are shown in logs")
    return ",".join(urls)


def path(value: str) -> Path:
    """Read a path."""
    if not value.strip():
        raise ValueError("must not be empty")
    try:
        return Path(value.strip()).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"cannot be used: {exc}") from None
