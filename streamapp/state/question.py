"""Questions: which rows of a table are asked for, and cursors, by which the next page of them is."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Container
from typing import Final, Self

import msgspec

__all__ = ["NO_CURSOR", "Cursor", "CursorError", "Question"]

#: What is said of what is none.
NO_CURSOR: Final = "this is no cursor: take it from the answer before, as it is"

#: Bytes of a question's digest in a cursor.
DIGEST_BYTES: Final = 6


class CursorError(ValueError):
    """A cursor that is none, or of another question; its text is one line that says so."""


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which rows of a table are asked for: all that are within each of these."""

    table: str
    #: What the keys begin with.
    prefix: bytes = b""
    #: The first key, and the one before which they end, compared as bytes are; None = without end.
    start: bytes = b""
    stop: bytes | None = None
    #: A condition (`streamapp.conditions`); "" = any.
    where: str = ""
    #: None = all.
    partition: int | None = None

    @property
    def first(self) -> bytes:
        """The smallest key that may be asked for."""
        return max(self.prefix, self.start)

    def has(self, key: bytes) -> bool:
        """Return whether the row of a key is asked for, by the key alone."""
        return key.startswith(self.prefix) and self.start <= key and (self.stop is None or key < self.stop)

    def ends_before(self, key: bytes) -> bool:
        """Return whether neither this key nor a larger one is asked for."""
        return (self.stop is not None and key >= self.stop) or (
            bool(self.prefix) and key > self.prefix and not key.startswith(self.prefix)
        )

    @property
    def digest(self) -> bytes:
        """By which cursors tell that they are of this question."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).digest()[:DIGEST_BYTES]


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins."""

    #: Of the question.
    digest: bytes
    partition: int
    #: The scan of that partition that goes on; "" = it has not begun.
    scan: str = ""
    #: In its snapshot.
    position: bytes = b""

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, question: Question, partitions: Container[int]) -> Self:
        """Read a cursor of a question about these partitions; a CursorError if it is none of it."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cursor = msgspec.msgpack.decode(data, type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise CursorError(NO_CURSOR) from None
        if cursor.partition not in partitions or (cursor.position and not cursor.scan):
            raise CursorError(NO_CURSOR)
        if cursor.digest != question.digest:
            raise CursorError("the cursor is of another question: ask the same one with it")
        return cursor
