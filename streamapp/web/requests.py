"""What a request asks for: keys, which are any bytes, and numbers, which have bounds.

Read from the URL as it came: what aiohttp makes of it has no bytes that are not UTF-8. And clients and proxies take
``.`` and ``..`` for parts of the path, and leave them out; in a query they stay: ``?key=..``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from aiohttp import web
from faust.web.exceptions import ParseError

from streamapp.misspelt import meant
from streamapp.topology import App
from streamapp.web.operations import Parameter

__all__ = ["APP", "INT32_MAX", "INT64_MAX", "key_in_path", "known", "number", "parameters", "shown"]

#: The app whose web server has the request.
APP: Final = web.AppKey[App]("streamapp", App)
#: The largest partition, and the largest offset or time, that Kafka can have.
INT32_MAX, INT64_MAX = (1 << 31) - 1, (1 << 63) - 1
DIGITS: Final = re.compile(r"[0-9]{1,19}")
#: Characters of a key or a number that an answer repeats.
SHOWN_CHARACTERS: Final = 200


def key_in_path(request: web.Request, part: int) -> bytes:
    """Return a part of a request's path, counted from 0, without its percent-encoding."""
    return unquote_to_bytes(request.rel_url.raw_path.split("/")[part + 1])


def parameters(request: web.Request) -> dict[str, bytes]:
    """Return the query of a request; of several values of a name the last one."""
    query = request.rel_url.raw_query_string
    found = parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="surrogateescape")
    return {name: value.encode("utf-8", "surrogateescape") for name, value in found}


def known(given: dict[str, bytes], names: Iterable[Parameter]) -> dict[str, bytes]:
    """Return what a query has; a ParseError if it has what there is not, since a misspelt condition would match all."""
    there = {one.name for one in names}
    if unknown := next((name for name in given if name not in there), None):
        near = meant(unknown, there)
        hint = f"is {' or '.join(near)} meant?" if near else f"there are {', '.join(sorted(there))}"
        raise ParseError(f"there is no parameter {shown(unknown.encode(errors='surrogateescape'))}: {hint}")
    return given


def number(text: str, name: str, largest: int, least: int = 0) -> int:
    """Read a number that is given in ASCII digits; a ParseError if it is none, too small or too large."""
    if not DIGITS.fullmatch(text) or not least <= int(text) <= largest:
        given: dict[str, Any] = {name: shown(text.encode(errors="surrogateescape"))}
        raise ParseError(f"{name} must be a whole number from {least} to {largest}", **given)
    return int(text)


def shown(key: bytes) -> str:
    """Return bytes for people."""
    text = key.decode(errors="backslashreplace")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(key)} bytes)"
