"""The plan of a new start: what would be done, for whoever is to decide that it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.reset.inventory import Inventory
from streamapp.reset.where import Kind, Where

__all__ = ["Emptied", "Move", "Plan", "ResetError", "check_clocks", "chosen", "places"]


class ResetError(StreamappError):
    """A new start that cannot be; the text is one line that says why."""


@dataclasses.dataclass(frozen=True)
class Move:
    """That a partition is read from elsewhere."""

    tp: TP
    #: The committed offset; None = there is none.
    before: int | None
    after: int

    def __str__(self) -> str:
        before = "-" if self.before is None else f"{self.before:,}"
        ahead = self.after - (self.before or 0)
        told = f"{ahead:,} records are skipped" if ahead > 0 else f"{-ahead:,} records are read again"
        return f"{self.tp.topic}[{self.tp.partition}]  {before} → {self.after:,}" + (f"  {told}" if ahead else "")


@dataclasses.dataclass(frozen=True)
class Emptied:
    """A topic of the group's own that is emptied."""

    topic: str
    partitions: int
    records: int

    def __str__(self) -> str:
        return f"{self.topic}  {self.records:,} records in {self.partitions} partitions"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a new start does."""

    group: str
    moves: list[Move]
    #: What is to be known of it.
    notes: list[str]
    changelogs: list[Emptied] = dataclasses.field(default_factory=list)
    internal: list[Emptied] = dataclasses.field(default_factory=list)
    #: Stores on this machine.
    directories: list[Path] = dataclasses.field(default_factory=list)
    #: What the names of the Redis' keys begin with.
    redis: list[str] = dataclasses.field(default_factory=list)

    def lines(self) -> list[str]:
        """Return it in words."""
        parts: dict[str, Sequence[object]] = {
            "input": self.moves,
            "changelog, made anew": self.changelogs,
            "internal topic, emptied": self.internal,
            "store on this machine, removed": self.directories,
            "rows in Redis, removed": self.redis,
        }
        told = [f"{what}: {one}" for what, each in parts.items() for one in each]
        return [f"group {self.group}", *(f"  {line}" for line in [*told, *self.notes])]


def chosen(inventory: Inventory, topics: Mapping[str, Collection[int]], *, keep_state: bool) -> set[str]:
    """Return the topics that are read from elsewhere.

    Args:
        topics: that the user named, with the partitions; none = all.
        keep_state: whether the states stay as they are.

    Raises:
        ResetError: for a topic that is not read, or for a part of what goes into one state that is emptied.
    """
    if unknown := topics.keys() - inventory.inputs:
        raise ResetError(
            f"{inventory.group} does not read {', '.join(sorted(unknown))}, but {', '.join(sorted(inventory.inputs))}"
        )
    if not topics:
        return set(inventory.inputs - inventory.tables) if keep_state else set(inventory.inputs)
    if not keep_state:
        if missing := inventory.together(topics) - topics.keys():
            raise ResetError(
                f"what is read from {', '.join(sorted(topics))} goes into one state with {', '.join(sorted(missing))}: "
                "name them all, or none, or --keep-state"
            )
        if any(topics.values()):
            raise ResetError("a state is emptied as a whole: name topics without partitions, or --keep-state")
        if inventory.internal and (other := inventory.inputs - topics.keys()):
            raise ResetError(f"there are topics between agents, so all input is read anew: name {', '.join(other)} too")
    return set(topics)


def places(
    inventory: Inventory, topics: Collection[str], where: Where, *, named: bool
) -> tuple[dict[str, Where], list[str]]:
    """Return from where each topic is read, and what is to be known of that.

    Tables are read from their beginning, wherever the streams begin: rows do not come again.

    Args:
        topics: that are read from elsewhere.
        where: from where, the user says.
        named: whether the user named the topics.
    """
    whole = inventory.tables if not named and where.kind in (Kind.TIME, Kind.NOW) else frozenset()
    notes = [f"{topic} is a table, and is read from its beginning" for topic in sorted(whole & set(topics))]
    return {topic: Where(Kind.BEGINNING) if topic in whole else where for topic in topics}, notes


def check_clocks(inventory: Inventory, moves: Collection[Move]) -> None:
    """Make sure that no join whose state is kept takes what is read again for late; a ResetError if one would."""
    back = {move.tp.topic for move in moves if move.before is not None and move.after < move.before}
    for state in inventory.states_of(back):
        if state.declared is not None and state.declared.has_clock:
            raise ResetError(
                f"the state of {state.table} keeps its clock, so that what is read again would be late, or joined "
                "twice: leave --keep-state out"
            )
