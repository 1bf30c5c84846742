"""How good scores are against fraud that was planted: how much is found, how soon, and what is taken for fraud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

__all__ = ["DELAYS_MIN", "Labelled", "Quality", "quality", "threshold"]

#: Minutes after the begin of a case by which it is caught or not.
DELAYS_MIN: Final = (0, 1, 2, 5, 10, 20)
MINUTE_MS: Final = 60_000


class Labelled(msgspec.Struct, frozen=True):
    """Transactions with their scores.

    Args:
        scores: of each.
        times: of each (ms).
        cases: the case that each is of, such as ``mule-7``; "" = of none.
    """

    scores: NDArray[np.float64]
    times: NDArray[np.int64]
    cases: Sequence[str]

    @property
    def planted(self) -> NDArray[np.bool_]:
        """Which are of a case."""
        return np.array([case != "" for case in self.cases], dtype=np.bool_)


class Caught(msgspec.Struct, frozen=True):
    """Of the cases of a kind, the part of which a transaction was found within minutes after the first one."""

    cases: int
    within_minutes: dict[str, float]


class Quality(msgspec.Struct, frozen=True):
    """The quality of scores from a threshold on, of transactions."""

    transactions: int
    planted: int
    threshold: float
    precision: float
    recall: float
    #: Of those that are of no case, the part that was taken for fraud.
    false_positives: float
    auc: float
    average_precision: float
    caught: dict[str, Caught]


def threshold(labelled: Labelled, precision: float) -> float:
    """Return the lowest score from which so much of what is taken for fraud is."""
    precisions, _, thresholds = precision_recall_curve(labelled.planted, labelled.scores)
    good = np.flatnonzero(precisions[:-1] >= precision)
    return round(float(thresholds[good[0]]) if len(good) else 1.0, 3)


def quality(labelled: Labelled, least: float) -> Quality:
    """Return how good scores are if those from a threshold on are taken for fraud."""
    planted, found = labelled.planted, labelled.scores >= least
    right = int(np.count_nonzero(found & planted))
    return Quality(
        transactions=len(planted),
        planted=int(planted.sum()),
        threshold=least,
        precision=_share(right, int(found.sum())),
        recall=_share(right, int(planted.sum())),
        false_positives=round(float(np.mean(found[~planted])), 5),
        auc=round(float(roc_auc_score(planted, labelled.scores)), 4),
        average_precision=round(float(average_precision_score(planted, labelled.scores)), 4),
        caught=_caught(labelled, found),
    )


def _caught(labelled: Labelled, found: NDArray[np.bool_]) -> dict[str, Caught]:
    begins: dict[str, int] = {}
    delays: dict[str, float] = {}
    for case, time, flagged in zip(labelled.cases, labelled.times.tolist(), found.tolist(), strict=True):
        if case:
            begin = begins.setdefault(case, time)
            if flagged:
                delays.setdefault(case, (time - begin) / MINUTE_MS)
    kinds = sorted({_kind(case) for case in begins})
    return {kind: _by_delay({case: delays.get(case) for case in begins if _kind(case) == kind}) for kind in kinds}


def _by_delay(delays: Mapping[str, float | None]) -> Caught:
    within = {
        str(minutes): _share(sum(delay is not None and delay <= minutes for delay in delays.values()), len(delays))
        for minutes in DELAYS_MIN
    }
    return Caught(len(delays), within)


def _kind(case: str) -> str:
    return case.rpartition("-")[0].rpartition(":")[2]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
