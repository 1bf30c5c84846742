"""What the model and the rules go by, declared once: for the agents, for files (`offline`), and so for the training.

Two enrichments make it, one where the records of an account are, and one where those of an IP are:

    transaction ─► by account ─► `at_account`, with the profile ─► `ByIp` ─► by ip ─► `at_ip` ─► `Candidate`
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Final, TypeAlias

from msgspec.structs import astuple, fields

from streamapp.pipelines.risk.models import AccountFeatures, AccountProfile, ByIp, Candidate, Features, Transaction
from streamapp.windows import Count, Distinct, Enrichment, Feature, Featured, Sum
from streamapp.windows.aggregate import Form, Number, OfField, Place, Value
from streamapp.windows.durations import milliseconds

__all__ = ["FEATURES", "INPUTS", "Usual", "at_account", "at_ip", "by_account", "by_ip", "row"]

MINUTE_MS, HOUR_MS, MONTH_MS = (milliseconds(duration) for duration in ("1m", "1h", "30d"))
DAY_MS: Final = milliseconds("1d")

#: The names of the features, in the order in which they are told.
FEATURES: Final = tuple(field.name for field in fields(Features))
#: What the model takes, in the order of its columns.
INPUTS: Final = ("amount", *FEATURES)

#: Amounts are counted in these parts of one, as whole numbers: their sums are exact, whatever comes and goes.
PARTS: Final = 10_000
#: How many amounts an account has had, at least, before one can be unusual.
FEWEST: Final = 3
#: A standard deviation is taken for so much of the mean at least, for an account that always pays the same.
LEAST_SPREAD: Final = 0.01

#: How many amounts there are, their sum, and that of their squares, in `PARTS`.
Sums: TypeAlias = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, repr=False)
class Usual(OfField):
    """An aggregate of amounts, from which one of them can be taken back: what is usual without it.

    Args:
        field: that has the amounts.
    """

    takes: ClassVar[Form] = Number
    state_type: ClassVar[Form] = Sums

    def initial(self) -> Sums:
        """Return the sums of no amounts."""
        return 0, 0, 0

    def add(self, state: Sums, value: Value, place: Place) -> Sums:
        """Return the sums with an amount more."""
        if value is None:
            return state
        count, total, squares = state
        parts = round(value * PARTS)
        return count + 1, total + parts, squares + parts * parts

    def add_many(self, state: Sums, values: Sequence[Value]) -> Sums:
        """Return the sums with these amounts, too."""
        parts = [round(value * PARTS) for value in values if value is not None]
        count, total, squares = state
        return count + len(parts), total + sum(parts), squares + sum([part * part for part in parts])

    def remove(self, state: Sums, value: Value, place: Place) -> Sums:
        """Return the sums without an amount."""
        if value is None:
            return state
        count, total, squares = state
        parts = round(value * PARTS)
        return count - 1, total - parts, squares - parts * parts

    def merge(self, state: Sums, other: Sums) -> Sums:
        """Return the sums of both."""
        return state[0] + other[0], state[1] + other[1], state[2] + other[2]

    def result(self, state: Sums) -> Sums:
        """Return the sums."""
        return state


def by_account(grace: int = 0) -> Enrichment:
    """Return the features of an account, of records that are transactions by it; late is more than the grace (ms)."""
    return Enrichment(
        features={
            "account_count_1h": Feature(Count(), HOUR_MS),
            "account_sum_1h": Feature(Sum("amount"), HOUR_MS),
            "usual": Feature(Usual("amount"), MONTH_MS),
        },
        grace=grace,
    )


def by_ip(grace: int = 0) -> Enrichment:
    """Return the features of an IP, of records that are `ByIp` by it."""
    return Enrichment(
        features={
            "ip_count_1m": Feature(Count(), MINUTE_MS),
            "ip_count_1h": Feature(Count(), HOUR_MS),
            "ip_sum_1m": Feature(Sum("transaction.amount"), MINUTE_MS),
            "ip_sum_1h": Feature(Sum("transaction.amount"), HOUR_MS),
            "ip_accounts_1h": Feature(Distinct("transaction.account"), HOUR_MS),
        },
        grace=grace,
    )


def at_account(
    featured: Featured, transaction: Transaction, profile: AccountProfile | None, origin: tuple[int, int] | None = None
) -> ByIp:
    """Return a transaction with what its account tells of it: what `by_account` did, and the profile."""
    count, total, sums = featured.values
    age = limit = None
    if profile is not None:
        limit = profile.limit
        age = None if profile.opened is None else (featured.timestamp - profile.opened) / DAY_MS
    mean, deviation = (None, None) if sums is None else _unusual(sums, transaction.amount)
    account = AccountFeatures(count, total, mean, deviation, age, limit)
    return ByIp(transaction, account, featured.late_by, origin)


def at_ip(featured: Featured, sent: ByIp) -> Candidate:
    """Return a transaction with all its features: what `by_ip` told, and what its account did."""
    features = Features(*featured.values, *astuple(sent.account))
    return Candidate(sent.transaction, features, featured.timestamp, bool(featured.late_by or sent.late_by))


def row(candidate: Candidate) -> tuple[float | None, ...]:
    """Return what the model takes of a transaction, as `INPUTS`."""
    return (candidate.transaction.amount, *astuple(candidate.features))


def _unusual(sums: Sums, amount: float) -> tuple[float | None, float | None]:
    """Return the mean of the other amounts, and how many standard deviations this one is away from it."""
    parts = round(amount * PARTS)
    count, total, squares = sums[0] - 1, sums[1] - parts, sums[2] - parts * parts
    if count < 1:
        return None, None
    mean = total / count / PARTS
    if count < FEWEST:
        return mean, None
    deviation = math.sqrt((count * squares - total * total) / (count * (count - 1))) / PARTS
    least = max(LEAST_SPREAD * mean, 1 / PARTS)
    return mean, (amount - mean) / max(deviation, least)
