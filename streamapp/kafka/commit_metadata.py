"""What is committed along with an offset, in its metadata, which is free text.

It tells offsets that this app committed from those that somebody set by hand: tools commit no metadata. And it has the
id of the topic that the offset is of: in one that was made anew under the same name it means other records. And it
names the placement since which the partition is read: what a state has taken in since the same one is not to be joined
again (`topology.provenance`). Older versions of this app committed none, or with exactly_once the transactional id.
"""

from __future__ import annotations

import enum
import re
import secrets
from typing import Final
from urllib.parse import quote, unquote

import msgspec

__all__ = ["By", "CommitMetadata", "new_placement"]


class By(enum.StrEnum):
    """How a committed offset came about."""

    #: A worker has read up to there.
    PROGRESS = "progress"
    #: It was put there for workers to begin at: by one that begins, by ``streamapp reset`` or by ``join --from``.
    PLACED = "placed"
    #: Somebody else has set it, or an older version of this app.
    FOREIGN = "foreign"
    #: There was none.
    NONE = "none"


class CommitMetadata(msgspec.Struct, frozen=True, rename={"transactional_id": "transactional", "topic_id": "topic"}):
    """The metadata of a committed offset; its text is made of ``name=value``, with a space between."""

    by: By = By.PROGRESS
    #: Where the group was told to begin (``--from``), in the user's words; empty = nowhere.
    began: str = ""
    #: Of the worker, with exactly_once; empty = none.
    transactional_id: str = ""
    #: Of the topic that it is an offset of; empty = not known.
    topic_id: str = ""
    #: When it was last decided where to read from, as a random name; empty = an older version did.
    placement: str = ""

    def __str__(self) -> str:
        return " ".join(f"{name}={quote(value)}" for name, value in msgspec.to_builtins(self).items() if value)

    @classmethod
    def parse(cls, text: str | None) -> CommitMetadata:
        """Read what was committed along with an offset; None or nothing is somebody else's."""
        text = (text or "").rstrip("\0")  # confluent-kafka (2.16) commits one along
        if not text:
            return cls(By.FOREIGN)
        named = {name: unquote(value) for name, value in re.findall(r"(\S+?)=(\S*)", text)}
        if not named:
            return cls(transactional_id=text)  # of an older version
        if named.get("by") not in _KNOWN:
            named["by"] = By.PROGRESS
        return msgspec.convert(named, cls)


def new_placement() -> str:
    """Return the name of a new placement."""
    return secrets.token_hex(4)


_KNOWN: Final = frozenset(By)
