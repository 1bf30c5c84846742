"""The options of ``streamapp join``: topics and a field that cannot be are refused in one line."""

from __future__ import annotations

import dataclasses
from typing import Final

from streamapp.cli.formats import declared
from streamapp.cli.ready_made import check_field, check_topics
from streamapp.formats.format import FormatDeclaration
from streamapp.formats.named import FormatName
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
    bare: bool = False

    @property
    def windowed(self) -> bool:
        """Whether both sides are streams."""
        return self.before is not None or self.after is not None

    def format_of(self, topic: str, settings: Settings) -> FormatDeclaration | None:
        """Return what the values of a topic (left, right or to) are; None = JSON.

        Avro and Protobuf are in the wire format of a schema registry, if the settings have one.

        Raises:
            StreamappError: if its schema is missing, or of no use.
        """
        name = FormatName(getattr(self, f"{topic}_format") or self.format_ or FormatName.JSON)
        schema = getattr(self, f"{topic}_schema")
        if name is FormatName.JSON and not schema:
            return None
        option = f"--{topic}-schema"
        return declared(name, schema, option, settings, bare=self.bare, written=topic == SENT_TO[0])


def check_options(options: JoinOptions) -> None:
    """Check that topics and the field can be, and that the join does not read what it sends, or mixes it.

    Raises:
        JoinError: if not; names the options.
    """
    sent_to = {option: getattr(options, option) for option in SENT_TO}
    check_topics({"left": options.left, "right": options.right}, sent_to, "join")
    check_field("on", options.field, "it is the field that both topics have, such as user_id")
    if options.left == options.right and not options.windowed:
        raise JoinError(
            f"--left and --right are both {options.left}: as a table it would join each record with itself; with "
            "--before, --after and --grace its records are joined with each other"
        )
