"""Topics in, between the two agents, and out; and the features of what comes in, where its keys are."""

from __future__ import annotations

from typing import Final

from streamapp.app import app, settings
from streamapp.pipelines.risk import features
from streamapp.pipelines.risk.settings import ACCOUNTS, ALERTS, SCORES, TRANSACTIONS
from streamapp.pipelines.risk.values import doubtful, usable

__all__ = ["accounts", "alerts", "by_account", "by_ip", "scores", "through_ip", "transactions"]

GRACE_MS: Final = int(settings.risk_grace * 1000)

accounts = app.topic(ACCOUNTS, batches=True, create=True)
# A transaction must find the profile that was produced before it; and those of an IP, which are in all partitions, have
# to go on in the order of their event times.
transactions = app.topic(TRANSACTIONS, batches=True, after=(accounts,), whole=True, create=True)
transactions.check, transactions.doubtful = usable, doubtful
#: Where a transaction goes on to the features of its IP.
through_ip = app.hop(transactions, "ip")

by_account = app.operators("risk_accounts", features.by_account(GRACE_MS), transactions)
by_ip = app.operators("risk_ips", features.by_ip(GRACE_MS), through_ip.topic)

scores = app.sink(SCORES)
alerts = app.sink(ALERTS)
