"""What the model and the rules go by, declared once: for the agents, for files (`offline`), and so for the training.

Two enrichments make it, one where the records of an account are, and one where those of an IP are:

    transaction ─► by account ─► `at_account`, with the profile ─► `ByIp` ─► by ip ─► `at_ip` ─► `Candidate`

Where all transactions are in one partition, one enrichment has both (`by_account_and_ip`).
"""

from __future__ import annotations

import dataclasses
from typing import Final

from msgspec.structs import astuple, fields

from streamapp.pipelines.risk.amounts import Amounts, Usual, without
from streamapp.pipelines.risk.models import AccountFeatures, AccountProfile, ByIp, Candidate, Features, Transaction
from streamapp.pipelines.risk.values import ips
from streamapp.windows import Distinct, Enrichment, Feature, Featured, FurtherKey
from streamapp.windows.durations import milliseconds

__all__ = ["FEATURES", "INPUTS", "at_account", "at_ip", "by_account", "by_account_and_ip", "by_ip", "row"]

MINUTE_MS, HOUR_MS, MONTH_MS = (milliseconds(duration) for duration in ("1m", "1h", "30d"))
DAY_MS: Final = milliseconds("1d")

#: The names of the features, in the order in which they are told.
FEATURES: Final = tuple(field.name for field in fields(Features))
#: What the model takes, in the order of its columns.
INPUTS: Final = ("amount", *FEATURES)
#: In place of a pair of features of what was late.
NOTHING: Final = (None, None)


def by_account(grace: int = 0) -> Enrichment:
    """Return the features of an account, of records that are transactions by it; late is more than the grace (ms)."""
    return Enrichment(
        features={
            "account_1h": Feature(Amounts("amount"), HOUR_MS),
            "usual": Feature(Usual("amount"), MONTH_MS),
        },
        grace=grace,
    )


def by_ip(grace: int = 0) -> Enrichment:
    """Return the features of an IP, of records that are `ByIp` by it."""
    return Enrichment(features=_of_ip("transaction."), grace=grace)


def by_account_and_ip(grace: int = 0) -> Enrichment:
    """Return the features of an account, and behind them those of an IP, of transactions in one partition."""
    return dataclasses.replace(by_account(grace), further=(FurtherKey("ip", ips, _of_ip()),))


def _of_ip(within: str = "") -> dict[str, Feature]:
    """Return the features of an IP, of a transaction or what it is within."""
    return {
        "ip_1m": Feature(Amounts(f"{within}amount"), MINUTE_MS),
        "ip_1h": Feature(Amounts(f"{within}amount"), HOUR_MS),
        "ip_accounts_1h": Feature(Distinct(f"{within}account"), HOUR_MS),
    }


def at_account(
    featured: Featured, transaction: Transaction, profile: AccountProfile | None, origin: tuple[int, int] | None = None
) -> ByIp:
    """Return a transaction with what its account tells of it: what `by_account` did, and the profile."""
    hour, sums = featured.values[:2]
    count, total = hour or NOTHING
    age = limit = None
    if profile is not None:
        limit = profile.limit
        age = None if profile.opened is None else (featured.timestamp - profile.opened) / DAY_MS
    mean, deviation = NOTHING if sums is None else without(sums, transaction.amount)
    account = AccountFeatures(count, total, mean, deviation, age, limit)
    return ByIp(transaction, account, featured.late_by, origin)


def at_ip(featured: Featured, sent: ByIp) -> Candidate:
    """Return a transaction with all its features: what `by_ip` told, or both together, and what its account did."""
    minute, hour, accounts = featured.values[-3:]
    (minute_count, minute_sum), (hour_count, hour_sum) = minute or NOTHING, hour or NOTHING
    features = Features(minute_count, hour_count, minute_sum, hour_sum, accounts, *astuple(sent.account))
    return Candidate(sent.transaction, features, featured.timestamp, bool(featured.late_by or sent.late_by))


def row(candidate: Candidate) -> tuple[float | None, ...]:
    """Return what the model takes of a transaction, as `INPUTS`."""
    return (candidate.transaction.amount, *astuple(candidate.features))
