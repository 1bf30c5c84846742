"""What was decided on a transaction, to be asked about: its score says so, whichever worker made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from streamapp.app import app
from streamapp.explain.evidence import EvidenceTopic, Match, dead_letters
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Explanation, Record, Refused, Verdict
from streamapp.kafka.log_reader import Logged
from streamapp.pipelines.risk.models import Score
from streamapp.pipelines.risk.topics import by_account, scores, transactions
from streamapp.pipelines.risk.values import transactions as decoder
from streamapp.pipelines.risk.values import usable
from streamapp.runtime.inputs import Input
from streamapp.worker.progress import Progress

__all__ = ["Decisions"]

_score: Final = msgspec.json.Decoder(Score).decode


def _decided(found: Logged, record: Logged) -> Match | None:
    if (found.key, found.timestamp) != (record.key, record.timestamp):
        return None
    try:
        score, transaction = _score(found.value or b""), decoder.decode(record)
    except (msgspec.DecodeError, Undecodable):
        return None
    if transaction is None or transaction.transaction_id != score.transaction_id:
        return None
    return Match(decision=told(score))


def told(score: Score) -> str:
    """Return in words what was decided on a transaction, and what led to it."""
    features = msgspec.structs.asdict(score.features)
    known = [f"{name}={value:.6g}" for name, value in {"amount": score.amount, **features}.items() if value is not None]
    model = f"the model {score.model}"
    by_model = f"{model} gives {score.score:.3f}" if score.score is not None else f"no score: {score.unscored}"
    rules = f"the rules {', '.join(score.rules)} hold" if score.rules else "no rule holds"
    reasons = f" ({'; '.join(score.reasons)})" if score.reasons else ""
    return f"{score.decision}{reasons}: {rules}, {by_model}; {', '.join(known)}"


class Decisions:
    """The decisions of the risk agents."""

    name = "risk"
    inputs: Sequence[Input] = (transactions.source(0),)
    table = by_account.table
    evidence: Sequence[EvidenceTopic] = (
        dead_letters(app.dead_letters.topic),
        EvidenceTopic(scores.topic, frozenset(), _decided, by_key=True),
    )

    def __init__(self) -> None:
        progress = Progress(app, [transactions.name])
        self.read, self.commit = progress.read, progress.commit

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say of a record that was taken in whether it could be used; a score says the rest."""
        try:
            usable(cast(Logged, record))
        except Refused as refused:
            return Explanation(verdict=Verdict.REFUSED, clock=None, detail=str(refused))
        return Explanation(verdict=Verdict.OVER, clock=None)
