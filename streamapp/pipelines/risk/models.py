"""The records: what a value on each topic must look like.

A transaction's key is its account in UTF-8, without quotes, and so is that of an account's profile. A record's event
time is its Kafka timestamp, in milliseconds since 1970.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

from streamapp.pipelines.risk.addresses import address
from streamapp.windows.aggregate import LARGEST

__all__ = [
    "AccountFeatures",
    "AccountProfile",
    "ByIp",
    "Candidate",
    "Decision",
    "Features",
    "Score",
    "Transaction",
    "Unscored",
]

Name = Annotated[str, msgspec.Meta(min_length=1)]
Money = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A payment: a value of ``transactions``; other fields are not looked at.

    ``ip`` may be written in any way that an IPv4 or IPv6 address can, and is in the shortest one here.

    Raises:
        ValueError: for an `ip` that is none; of JSON a `msgspec.ValidationError`.
    """

    transaction_id: Name
    account: Name
    ip: str
    amount: Money

    def __post_init__(self) -> None:
        if (shortest := address(self.ip)) != self.ip:
            msgspec.structs.force_setattr(self, "ip", shortest)


class AccountProfile(msgspec.Struct, frozen=True, gc=False):
    """What is known of an account: a value of ``accounts``; without a value (a tombstone) it is deleted.

    ``opened`` is when it was opened (ms since 1970), ``limit`` what it may spend; null is not known.
    """

    account: Name
    opened: int | None = None
    limit: Money | None = None


class AccountFeatures(msgspec.Struct, frozen=True, gc=False):
    """What just happened to an account, and what is known of it; null where there is nothing to say.

    ``mean`` is that of the amounts of the last 30 days before the transaction, and ``deviation`` how many standard
    deviations of them it is away from that.
    """

    account_count_1h: int | None = None
    account_sum_1h: float | None = None
    account_mean: float | None = None
    account_deviation: float | None = None
    account_age_days: float | None = None
    account_limit: float | None = None


class ByIp(msgspec.Struct, frozen=True, gc=False):
    """A transaction on its way to the features of its IP, with those of its account: a value of the internal topic.

    ``late_by`` is how far (ms) it was late for those of its account; ``origin`` the partition and the offset that it
    has in ``transactions``.
    """

    transaction: Transaction
    account: AccountFeatures
    late_by: int = 0
    origin: tuple[int, int] | None = None


class Features(msgspec.Struct, frozen=True, gc=False):
    """All that is told of a transaction, as of its own time; null where there is nothing to say."""

    ip_count_1m: int | None = None
    ip_count_1h: int | None = None
    ip_sum_1m: float | None = None
    ip_sum_1h: float | None = None
    ip_accounts_1h: int | None = None
    account_count_1h: int | None = None
    account_sum_1h: float | None = None
    account_mean: float | None = None
    account_deviation: float | None = None
    account_age_days: float | None = None
    account_limit: float | None = None


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A transaction with its features, to be scored; ``time`` is its event time (ms).

    ``late`` says that it was late for some of them, which are null.
    """

    transaction: Transaction
    features: Features
    time: int
    late: bool = False


class Decision(enum.StrEnum):
    """What is to become of a transaction."""

    ACCEPT = "accept"
    REVIEW = "review"
    DECLINE = "decline"


class Unscored(enum.StrEnum):
    """Why a transaction has no score."""

    #: The model did not get to it within its budget.
    BUDGET = "budget"
    #: There is none that can be used.
    NO_MODEL = "no_model"
    #: It was late, and some of its features are not known.
    LATE = "late"


class Score(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is thought of a transaction: a value of ``transaction_scores``, and of ``risk_alerts`` if it is no accept.

    ``time`` is its event time (ms); ``score`` is from 0 to 1, or null, and then `unscored` says why. ``rules`` are the
    names of those that hold for it, ``reasons`` what they and the model say.
    """

    transaction_id: str
    account: str
    ip: str
    amount: float
    time: int
    features: Features
    score: float | None
    unscored: Unscored | None = None
    decision: Decision
    model: str | None
    rules: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    late: bool = False
