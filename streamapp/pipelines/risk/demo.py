"""Transactions, as the demo shows them."""

from __future__ import annotations

from typing import Final

from streamapp.pipelines.demonstrated import Counts, Demonstrated, Measured
from streamapp.pipelines.risk.settings import ALERTS, SCORES, TRANSACTIONS, RiskSettings

__all__ = ["demonstrated"]

TRAFFIC: Final = ("--accounts", "1000", "--late-share", "0.01", "--bad-share", "0.01")


def demonstrated(_settings: RiskSettings) -> Demonstrated:
    """Return how transactions are shown."""
    return Demonstrated(TRAFFIC, "--transactions", 200, (TRANSACTIONS, SCORES, ALERTS), SCORES, _counts)


def _counts(measured: Measured) -> Counts:
    transactions, scores, alerts = (measured.topics[name] for name in (TRANSACTIONS, SCORES, ALERTS))
    # Those that are late are in the topic of scores, too.
    late = min(scores, int(measured.metrics.get("streamapp_risk_late_total", 0)))
    return Counts(records=transactions, results=scores - late, rejected=measured.rejected, alerts=alerts, late=late)
