"""Losses: records that are gone before the app has read them, told, counted, and if it is so set a reason to stop."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.runtime.problems import Problems
from streamapp.runtime.starting import Gap, Why
from streamapp.settings import PREFIX, OnLost

__all__ = ["Losses", "LostError"]

logger = logging.getLogger(__name__)


class LostError(StreamappError):
    """Records are gone unread, and the worker is not to go on (``STREAMAPP_ON_LOST=stop``); the text is one line."""


class Losses:
    """Takes note of what is lost.

    Args:
        problems: where it is shown.
        on_lost: what becomes of the worker.
    """

    def __init__(self, problems: Problems, on_lost: OnLost) -> None:
        self._problems = problems
        self._on_lost = on_lost
        #: Records, at most, by topic.
        self.records: Counter[str] = Counter()

    def gaps(self, gaps: Sequence[Gap]) -> None:
        """Tell of partitions that are read on from elsewhere than where the group got to.

        Raises:
            LostError: if the worker is to stop.
        """
        grave = [gap for gap in gaps if gap.why is not Why.BEGUN_LATE and gap.lost != 0]
        for gap in gaps:
            if gap not in grave:
                logger.warning("%s", gap)
        self.report({gap.tp: str(gap) for gap in grave}, {gap.tp: gap.lost or 0 for gap in grave})

    def report(self, texts: dict[TP, str], lost: dict[TP, int]) -> None:
        """Tell of losses.

        Args:
            texts: what happened, by partition.
            lost: how many records of it are gone, at most; 0 = not known.

        Raises:
            LostError: if the worker is to stop.
        """
        if not texts:
            return
        if self._on_lost is OnLost.STOP:
            more = f" (and so in {len(texts) - 1} more partitions)" if len(texts) > 1 else ""
            raise LostError(
                f"{next(iter(texts.values()))}{more}. The worker stops, and commits nothing, since {PREFIX}ON_LOST="
                f"stop; to go on like this, start it once with {PREFIX}ON_LOST=go_on"
            )
        for tp, text in texts.items():
            logger.error("%s", text)
            self._problems.report(("lost", tp), text)
            self.records[tp.topic] += lost[tp]
