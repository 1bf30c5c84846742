"""Topics in and out, and the features of what comes in, where its keys are."""

from __future__ import annotations

from typing import Final

from streamapp.app import app, settings
from streamapp.pipelines.risk import features
from streamapp.pipelines.risk.settings import ACCOUNTS, ALERTS, SCORES, TRANSACTIONS, Steps
from streamapp.pipelines.risk.values import doubtful, usable

__all__ = ["GRACE_MS", "ONE_STEP", "accounts", "alerts", "by_account", "scores", "transactions"]

GRACE_MS: Final = int(settings.risk_grace * 1000)
ONE_STEP: Final = settings.risk_steps is Steps.ONE

accounts = app.topic(ACCOUNTS, batches=True, create=True)
# A transaction must find the profile that was produced before it; and those of an IP, which are in all partitions, have
# to go on in the order of their event times.
transactions = app.topic(TRANSACTIONS, batches=True, after=(accounts,), whole=True, create=True)
transactions.check, transactions.doubtful = usable, doubtful

#: With those of its IP, if both are made in one step.
featured = features.by_account_and_ip if ONE_STEP else features.by_account
by_account = app.operators("risk_accounts", featured(GRACE_MS), transactions)

scores = app.sink(SCORES)
alerts = app.sink(ALERTS)
