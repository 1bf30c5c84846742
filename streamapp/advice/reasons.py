"""Why records are not looked at: counted by kind, of which there are few, with the first of each."""

from __future__ import annotations

import msgspec

from streamapp.measures.lateness import Place

__all__ = ["Reason", "Reasons", "Why"]


class Why(msgspec.Struct, frozen=True):
    """Why a record is not looked at: of which kind that is, and what is wrong with this one."""

    kind: str
    text: str


class Reason(msgspec.Struct, frozen=True):
    """How many records are of a kind, the first of them, and what is wrong with that."""

    kind: str
    records: int
    topic: str
    partition: int
    offset: int
    example: str


class Reasons:
    """Counts them."""

    def __init__(self) -> None:
        self._known: dict[str, Reason] = {}

    def add(self, why: Why, place: Place) -> None:
        """Count a record."""
        known = self._known.get(why.kind)
        if known is None:
            self._known[why.kind] = Reason(why.kind, 1, *place, why.text)
        else:
            self._known[why.kind] = msgspec.structs.replace(known, records=known.records + 1)

    def told(self) -> list[Reason]:
        """Return them, the most frequent first."""
        return sorted(self._known.values(), key=lambda one: -one.records)
