"""Corrections: records that are sent once more, after they had been rejected or late (``streamapp redrive``).

Such a record has a mark, its first header. It is not late as others are: it is joined with what the state still has,
and goes out at the side again only where that could give a wrong result, or none. What it gives is a correction.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["AGENT", "HEADER", "JOIN", "Mark", "decoded_mark", "mark_of"]

#: The header that tells of what a record is a correction; the first one.
HEADER: Final = "streamapp-redriven"
#: The header of a record that came out at the side, which tells of which join it did.
JOIN: Final = "streamapp-join"
#: The header of a record that an agent failed on, which tells the agent's name.
AGENT: Final = "streamapp-agent"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a redriven record says of itself, and its results too: the JSON of a header."""

    #: The place of the record as it had come out at the side, and that of the record as it came first.
    letter: str
    of: str
    #: How often it was sent once more, this time included.
    attempt: int
    #: The join that had put it out at the side, and is to take it in: others have it. Empty = all are to.
    join: str = ""
    #: The agent that had failed on it, if that runs no join, and the topic in which it alone has it again: not in
    #: those of results, which may get the headers of their record. Empty = all are to.
    agent: str = ""
    topic: str = ""

    def header(self) -> tuple[str, bytes]:
        """Return the header."""
        return HEADER, msgspec.json.encode(self)

    def header_of_result(self) -> tuple[str, bytes]:
        """Return the header of a result that the record is a part of: whoever reads it is to take it in."""
        return msgspec.structs.replace(self, join="", agent="", topic="").header()


def mark_of(record: object) -> bytes | None:
    """Return the mark of a record, as it is; None = the record is as it came first."""
    headers = getattr(record, "headers", ())
    return headers[0][1] if headers and headers[0][0] == HEADER else None


def decoded_mark(mark: bytes | None) -> Mark | None:
    """Return what a mark says; None if there is none, or it is somebody else's."""
    try:
        return None if mark is None else _decode(mark)
    except msgspec.MsgspecError:
        return None


_decode: Final = msgspec.json.Decoder(Mark).decode
