"""The options of ``streamapp join``: topics and a field that cannot be are refused in one line."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from streamapp.joins import How
from streamapp.reset.where import Where
from streamapp.topology import JoinError

__all__ = ["JoinOptions", "check_options"]

#: Kafka's own rule; it also refuses "." and "..".
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
#: What a path into an object may look like, which is no name of a field.
_PATH: Final = re.compile(r"[./$].*|.*\.|.*\.\..*|.*\[.*\]")
#: Options that name a topic to send to, the results' first.
SENT_TO: Final = ("to", "unmatched", "late", "rejected")


@dataclasses.dataclass(frozen=True, kw_only=True)
class JoinOptions:
    """What the command line says; durations are in ms."""

    left: str
    right: str
    field: str
    to: str
    how: How = How.INNER
    before: int | None = None
    after: int | None = None
    grace: int | None = None
    idle_timeout: int | None = None
    ttl: int = 0
    history: int | None = None
    repartition: tuple[str, ...] = ()
    unmatched: str | None = None
    late: str | None = None
    rejected: str | None = None
    create: bool = False
    where: Where | None = None

    @property
    def windowed(self) -> bool:
        """Whether both sides are streams."""
        return self.before is not None or self.after is not None


def check_options(options: JoinOptions) -> None:
    """Check that topics and the field can be, and that the join does not read what it sends, or mixes it.

    Raises:
        JoinError: if not; names the options.
    """
    sent_to = {option: name for option in SENT_TO if (name := getattr(options, option)) is not None}
    for option, name in {"left": options.left, "right": options.right, **sent_to}.items():
        if not _TOPIC.fullmatch(name):
            allowed = "letters, digits, '.', '_' and '-', 249 at most"
            raise JoinError(f"--{option} {name!r} is no name of a topic: {allowed}")
    if not options.field.strip() or not options.field.isprintable():
        raise JoinError(
            f"--on {options.field!r} is no name of a field: it is the field that both topics have, such as user_id"
        )
    if options.field != options.field.strip() or _PATH.fullmatch(options.field):
        raise JoinError(
            f"--on {options.field!r} is no name of a field: give it as it stands in the JSON object, without spaces or "
            "a path"
        )
    for option, name in sent_to.items():
        if name in {options.left, options.right}:
            read = "left" if name == options.left else "right"
            raise JoinError(f"--{option} {name} is what --{read} reads: the join would get what it sends, without end")
        if option != "to" and name == options.to:
            raise JoinError(f"--{option} {name} is where the results go (--to): name another topic")
    if options.left == options.right and not options.windowed:
        raise JoinError(
            f"--left and --right are both {options.left}: as a table it would join each record with itself; with "
            "--before, --after and --grace its records are joined with each other"
        )
