"""The options of ``streamapp join``: topics and a field that cannot be are refused in one line."""

from __future__ import annotations

import dataclasses
from typing import Final

from streamapp.cli.formats import declared, declared_keys
from streamapp.cli.ready_made import check_field, check_topics
from streamapp.formats import Raw
from streamapp.formats.format import Format, FormatDeclaration
from streamapp.formats.keys import KeyField
from streamapp.joins import How
from streamapp.reset.where import Where
from streamapp.settings import Settings
from streamapp.topology import JoinError

__all__ = ["JoinOptions", "check_options"]

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
    format_: str | None = None
    left_format: str | None = None
    right_format: str | None = None
    to_format: str | None = None
    left_schema: str = ""
    right_schema: str = ""
    to_schema: str = ""
    key_format: str | None = None
    key_schema: str = ""
    bare: bool = False

    @property
    def windowed(self) -> bool:
        """Whether both sides are streams."""
        return self.before is not None or self.after is not None

    def format_of(self, topic: str, settings: Settings) -> FormatDeclaration | None:
        """Return what the values of a topic (left, right or to) are; None = JSON, unless it is declared otherwise.

        Avro and Protobuf are in the wire format of a schema registry, if the settings have one.

        Raises:
            StreamappError: if its schema is missing, or of no use.
        """
        name, schema = getattr(self, f"{topic}_format") or self.format_, getattr(self, f"{topic}_schema")
        option = f"--{topic}-schema"
        return declared(name, schema, option, settings, bare=self.bare, written=topic == SENT_TO[0])

    def key_format_of(self, topic: str) -> Format | None:
        """Return what the keys of a topic (left, right or to) are; None = text, as of all that is written once more.

        Raises:
            StreamappError: if their schema is missing, or of no use.
        """
        found = declared_keys(self.key_format, self.key_schema)
        if found is None or (topic == "to" and self.repartition):
            return None
        return KeyField(found, self.field)

    @property
    def keys_are_the_field(self) -> bool:
        """Whether a record's key has to be the field that is joined on: of raw bytes nobody knows."""
        return not isinstance(declared_keys(self.key_format, self.key_schema), Raw)


def check_options(options: JoinOptions) -> None:
    """Check that topics and the field can be, and that the join does not read what it sends, or mixes it.

    Raises:
        JoinError: if not; names the options.
    """
    sent_to = {option: getattr(options, option) for option in SENT_TO}
    check_topics({"left": options.left, "right": options.right}, sent_to, "join")
    check_field("on", options.field, "it is the field that both topics have, such as user_id")
    if options.key_format_of("left") is not None and len({*options.repartition}) == 1:
        (side,) = {*options.repartition}
        other = "right" if side == "left" else "left"
        raise JoinError(
            f"--repartition {side} gives {side} the keys of {options.field} as text, and those of {other} are in a "
            f"format: add --repartition {other}"
        )
    if options.left == options.right and not options.windowed:
        raise JoinError(
            f"--left and --right are both {options.left}: as a table it would join each record with itself; with "
            "--before, --after and --grace its records are joined with each other"
        )
