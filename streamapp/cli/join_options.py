"""The options of ``streamapp join`` that name topics and a field: what cannot be is refused in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from streamapp.topology import JoinError

__all__ = ["check_options", "part_of_name"]

#: Kafka's own rule; it also refuses "." and "..".
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
#: What a path into an object may look like, which is no name of a field.
_PATH: Final = re.compile(r"[./$].*|.*\.|.*\.\..*|.*\[.*\]")
#: Options that name a topic to read, and to send to.
READ: Final = ("left", "right")
SENT_TO: Final = ("to", "unmatched", "late", "rejected")


def check_options(given: Mapping[str, Any]) -> None:
    """Check that topics and the field can be, and that the join does not read what it sends, or mixes it.

    Raises:
        JoinError: if not; names the options.
    """
    for option in (*READ, *SENT_TO):
        if given[option] is not None and not _TOPIC.fullmatch(given[option]):
            raise JoinError(
                f"--{option} {given[option]!r} is no name of a topic: letters, digits, '.', '_' and '-', 249 at most"
            )
    _check_field(given["field"])
    for option in SENT_TO:
        for read in READ:
            if given[option] is not None and given[option] == given[read]:
                raise JoinError(
                    f"--{option} {given[option]} is what --{read} reads: the join would get what it sends, without end"
                )
    for option in SENT_TO[1:]:
        if given[option] == given["to"]:
            raise JoinError(f"--{option} {given[option]} is where the results go (--to): name another topic")
    if given["left"] == given["right"] and all(given[size] is None for size in ("before", "after")):
        raise JoinError(
            f"--left and --right are both {given['left']}: as a table it would join each record with itself; with "
            "--before, --after and --grace its records are joined with each other"
        )


def part_of_name(field: str) -> str:
    """Return a field's name as a part of a topic's."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", field)


def _check_field(name: str) -> None:
    if not name.strip() or not name.isprintable():
        raise JoinError(f"--on {name!r} is no name of a field: it is the field that both topics have, such as user_id")
    if name != name.strip() or _PATH.fullmatch(name):
        raise JoinError(
            f"--on {name!r} is no name of a field: give it as it stands in the JSON object, without spaces or a path"
        )
