"""From where a partition is read on, when a generation begins, and what is skipped or read again by that.

A consumer whose offset is not there is silently set back to the first one by ``auto.offset.reset``; and in a topic that
was deleted and made anew, an offset of the old one stands for other records. Both are told here (`Gap`).
"""

from __future__ import annotations

import dataclasses
import enum

from faust.types import TP

from streamapp.kafka.topic_metadata import LogRange

__all__ = ["Gap", "Reached", "Why", "gap"]


class Why(enum.Enum):
    """Why a partition is not read on from where its group got to."""

    #: Records were deleted before they were read.
    DELETED = enum.auto()
    #: The log ends before: the broker lost records, or is older than 2.8, and the topic was made anew.
    CUT_OFF = enum.auto()
    #: The topic was deleted and made anew.
    MADE_ANEW = enum.auto()
    #: The group has not read anything of it, and it does not begin at 0 any more.
    BEGUN_LATE = enum.auto()


@dataclasses.dataclass(frozen=True)
class Reached:
    """How far a group has read a partition."""

    #: Of the next record; None = not known any more.
    offset: int | None
    #: Of the topic that it was; None = not known.
    topic_id: str | None
    #: The end offset of that topic when it was last seen; None = not known.
    end: int | None = None


@dataclasses.dataclass(frozen=True)
class Gap:
    """That a partition is read on from elsewhere."""

    tp: TP
    why: Why
    #: The offset that would have been next, and the one that is.
    before: int | None
    after: int
    #: Records that are gone unread, at most: offsets of compacted records and of markers of transactions are among
    #: them, and nobody knows any more which; None = not known.
    lost: int | None
    #: Ids of the topic.
    was: str | None = None
    now: str | None = None

    def __str__(self) -> str:
        where = f"{self.tp.topic}[{self.tp.partition}]"
        match self.why:
            case Why.DELETED:
                return (
                    f"{where}: {self.lost:,} records, offsets {self.before} to {self.after - 1}, were deleted before "
                    f"they were read (retention, or kafka-delete-records); reading goes on at {self.after}"
                )
            case Why.CUT_OFF:
                return (
                    f"{where}: the group has read up to offset {self.before}, but the log ends before it: the broker "
                    f"has lost records, or the topic was made anew; it is read again from offset {self.after}"
                )
            case Why.MADE_ANEW:
                unread = "what was not read of the old one is not known"
                if self.lost is not None:
                    unread = f"{self.lost:,} records of the old one were not read"
                read = "" if self.before is None else f"after offset {self.before} of the old one, "
                return (
                    f"{where}: the topic was deleted and made anew (id {self.was}, now {self.now}); {read}reading "
                    f"begins at {self.after} of the new one; {unread}"
                )
            case Why.BEGUN_LATE:
                return (
                    f"{where} begins at offset {self.after}, and no offset of it is committed: the records before were "
                    "deleted (retention, or kafka-delete-records), and never read by this group"
                )


def gap(tp: TP, reached: Reached | None, log: LogRange, topic_id: str | None) -> Gap | None:
    """Tell whether a partition is to be read from elsewhere than where its group got to.

    Args:
        tp: the partition.
        reached: how far it is read; None = nothing was.
        log: what there is of it.
        topic_id: of its topic; None = the broker does not tell.
    """
    if reached is None:
        return Gap(tp, Why.BEGUN_LATE, 0, log.begin, None) if log.begin > 0 else None
    before = reached.offset
    if topic_id is not None and reached.topic_id not in (None, topic_id):
        lost = None if reached.end is None or before is None else max(0, reached.end - before)
        return Gap(tp, Why.MADE_ANEW, before, log.begin, lost, reached.topic_id, topic_id)
    if before is None:
        return gap(tp, None, log, topic_id)
    if before < log.begin:
        return Gap(tp, Why.DELETED, before, log.begin, log.begin - before)
    if before > log.end:
        return Gap(tp, Why.CUT_OFF, before, log.begin, None)
    return None
