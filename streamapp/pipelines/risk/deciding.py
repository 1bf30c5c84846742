"""What is to become of transactions: by the model's score, and by the rules."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamapp.pipelines.risk.expressions import Columns
from streamapp.pipelines.risk.features import INPUTS, row
from streamapp.pipelines.risk.inference import Matrix, matrix
from streamapp.pipelines.risk.models import Candidate, Decision, Score, Unscored
from streamapp.pipelines.risk.rules import Rule, Rules
from streamapp.pipelines.risk.scoring import Scored, Scorer

__all__ = ["Thresholds", "decide"]

#: From the mildest to the strictest.
STRICTNESS = {decision: number for number, decision in enumerate(Decision)}


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Scores from which a transaction is reviewed, or declined; None = as the model says."""

    review: float | None = None
    decline: float | None = None


async def decide(
    candidates: Sequence[Candidate], scorer: Scorer, rules: Rules | None, thresholds: Thresholds
) -> list[Score]:
    """Return what is thought of the transactions of a batch, in their order.

    What was late is not given to the model, which would take null for something else.
    """
    if not candidates:
        return []
    rows = matrix([row(one) for one in candidates])
    late = np.array([one.late for one in candidates])
    scored = await scorer.score(rows if not late.any() else rows[~late])
    scores = scored.scores
    if late.any():
        scores = np.full(len(candidates), np.nan)
        scores[~late] = scored.scores
    rules = rules or Rules()
    holding = rules.holding(_columns(candidates, rows, late, scores, rules.texts), len(candidates))
    judged = _Judged(scored, thresholds)
    return [
        judged.score(one, score, held) for one, score, held in zip(candidates, scores.tolist(), holding, strict=True)
    ]


def _columns(
    candidates: Sequence[Candidate],
    rows: Matrix,
    late: NDArray[np.bool_],
    scores: NDArray[np.float64],
    texts: Iterable[str],
) -> Columns:
    """Return what rules go by."""
    columns = {name: rows[:, number] for number, name in enumerate(INPUTS)}
    for name in texts:
        columns[name] = np.array([getattr(one.transaction, name) for one in candidates], dtype=np.object_)
    return {**columns, "score": scores, "late": late}


class _Judged:
    def __init__(self, scored: Scored, thresholds: Thresholds) -> None:
        self._unscored = scored.unscored
        self._version = scored.model.version if scored.model else None
        review, decline = (scored.model.card.review, scored.model.card.decline) if scored.model else (1.0, 1.0)
        self._review = review if thresholds.review is None else thresholds.review
        self._decline = decline if thresholds.decline is None else thresholds.decline

    def score(self, one: Candidate, score: float, held: Sequence[Rule]) -> Score:
        transaction, unknown = one.transaction, math.isnan(score)
        decision = Decision.ACCEPT
        names: tuple[str, ...] = ()
        reasons: tuple[str, ...] = ()
        if score >= self._review:
            decision = Decision.DECLINE if score >= self._decline else Decision.REVIEW
            least = self._decline if decision is Decision.DECLINE else self._review
            reasons = (f"score {score:.3f}, {decision} from {least:g}",)
        if held:
            decision = max([decision, *(rule.decision for rule in held)], key=STRICTNESS.__getitem__)
            names = tuple(rule.name for rule in held)
            reasons += tuple(rule.reason or rule.name for rule in held)
        unscored = (Unscored.LATE if one.late else self._unscored) if unknown else None
        return Score(
            transaction_id=transaction.transaction_id,
            account=transaction.account,
            ip=transaction.ip,
            amount=transaction.amount,
            time=one.time,
            features=one.features,
            score=None if unknown else score,
            unscored=unscored,
            decision=decision,
            model=self._version,
            rules=names,
            reasons=reasons,
            late=one.late,
        )
