"""Losses: records that are gone before the app has read them, told, counted, and if it is so set a reason to stop."""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.runtime.problems import Problems
from streamapp.settings import PREFIX, OnLost

__all__ = ["Gap", "Losses", "LostError", "Why"]

logger = logging.getLogger(__name__)


class LostError(StreamappError):
    """Records are gone unread, and the worker is not to go on (``STREAMAPP_ON_LOST=stop``); the text is one line."""


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


@dataclasses.dataclass
class Losses:
    """Takes note of what is lost."""

    #: Where it is shown.
    problems: Problems
    #: What becomes of the worker.
    on_lost: OnLost
    #: Records, at most, by topic.
    records: Counter[str] = dataclasses.field(default_factory=Counter)

    def gaps(self, gaps: Sequence[Gap]) -> None:
        """Tell of partitions that are read on from elsewhere than they were; a LostError if the worker is to stop."""
        grave = [gap for gap in gaps if gap.why is not Why.BEGUN_LATE and gap.lost != 0]
        for gap in gaps:
            if gap not in grave:
                logger.warning("%s", gap)
        self.report({gap.tp: (str(gap), gap.lost or 0) for gap in grave})

    def report(self, losses: Mapping[TP, tuple[str, int]]) -> None:
        """Tell of losses: by partition, what happened, and how many records are gone, at most (0 = not known).

        Raises:
            LostError: if the worker is to stop.
        """
        if losses and self.on_lost is OnLost.STOP:
            first, *others = (text for text, _ in losses.values())
            more = f" (and so in {len(others)} more partitions)" if others else ""
            raise LostError(
                f"{first}{more}. The worker stops, and commits nothing, since {PREFIX}ON_LOST=stop; to go on like "
                f"this, start it once with {PREFIX}ON_LOST=go_on"
            )
        for tp, (text, lost) in losses.items():
            logger.error("%s", text)
            self.problems.report(("lost", tp), text)
            self.records[tp.topic] += lost
