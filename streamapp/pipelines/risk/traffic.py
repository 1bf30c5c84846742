"""Generated accounts and transactions, with fraud that is planted in them: the same seed gives the same records.

A transaction that is planted says so, in a field of its own that nothing in the pipeline looks at: ``"planted":
"take_over-7"`` is of the seventh account that was taken over. So whoever reads the topic can tell how much was found.
"""

from __future__ import annotations

import enum
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click
import msgspec

from streamapp.errors import ProduceError
from streamapp.pipelines.risk.fraud import Fraud, Honest, Payment, Plan, Planted
from streamapp.pipelines.risk.people import People
from streamapp.pipelines.risk.settings import ACCOUNTS, TRANSACTIONS
from streamapp.produce.timeline import Timeline
from streamapp.produce.traffic import BAD_SHARE, ENDLESS, LATE_SHARE, LATENESS_MS, SEED, Record, share

__all__ = ["BAD", "OPTIONS", "SHARES", "Generated", "Kind", "Traffic", "generate"]

DAY_MS: Final = 86_400_000
#: In a backlog an account pays so often (ms), in the middle.
PACE_MS: Final = 180_000
#: The parts of the payments that look like fraud and are none.
HONEST_SHARES: Final[Mapping[Fraud | Honest, float]] = {
    Honest.SPREE: 0.01,
    Honest.RUSH: 0.01,
    Honest.NEWCOMER: 0.006,
}
#: What is planted, taken together, is less than this part of all.
MOST_PLANTED: Final = 0.5


class Kind(enum.StrEnum):
    """What a generated record is; the bad transactions are those that cannot be used."""

    ACCOUNT = "account"
    TRANSACTION = "transaction"
    LATE = "late"
    NOT_JSON = "not_json"
    NO_AMOUNT = "no_amount"
    NO_MONEY = "no_money"
    NO_IP = "no_ip"
    NULL_KEY = "null_key"
    WRONG_KEY = "wrong_key"
    TOMBSTONE = "tombstone"


#: The kinds from `NOT_JSON` on.
BAD: Final = tuple(Kind)[3:]


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What the records were, of those that were sent: `planted`, `late` and `bad` are parts of the `transactions`."""

    accounts: int
    transactions: int
    planted: int
    late: int
    bad: int
    planted_by_kind: dict[str, int]
    bad_by_kind: dict[str, int]

    def __str__(self) -> str:
        return (
            f"{self.accounts:,} accounts, {self.transactions:,} transactions "
            f"({self.planted:,} planted, {self.late:,} late, {self.bad:,} bad)"
        )


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What to generate: a profile for each account first, then transactions.

    `transactions` counts all records of their topic, unless they are `endless`. A share is the part of the transactions
    that is planted fraud of a kind, late or bad; none is two of these.

    Raises:
        ValueError: if the shares are more than all, or those of fraud half of it.
    """

    accounts: int = 1_000
    transactions: int = 10_000
    endless: bool = False
    seed: int = 0
    card_testing_share: float = 0.01
    take_over_share: float = 0.003
    mule_share: float = 0.003
    late_share: float = 0.0
    bad_share: float = 0.0

    def __post_init__(self) -> None:
        if sum(self.shares.values()) >= MOST_PLANTED:
            raise ValueError("the shares of planted fraud must be less than a half together")
        if sum(self.shares.values()) + self.late_share + self.bad_share > 1:
            raise ValueError("the late, bad and planted shares must not exceed 1 together")

    @property
    def shares(self) -> dict[Fraud | Honest, float]:
        """The parts of the payments that are of cases, by their kinds."""
        return {
            Fraud.CARD_TESTING: self.card_testing_share,
            Fraud.TAKE_OVER: self.take_over_share,
            Fraud.MULE: self.mule_share,
            **HONEST_SHARES,
        }

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it goes to, without the prefix."""
        return (ACCOUNTS, TRANSACTIONS)

    @property
    def total(self) -> int | None:
        """How many records there are, but for accounts that are opened meanwhile; None = it is without end."""
        return None if self.endless else self.accounts + self.transactions

    def records(self, rate: float, now: int) -> Iterator[Record]:
        """Generate the records, live at a rate (a second) or, with 0, as a backlog up to `now` (ms).

        In a backlog each account pays every three minutes, in the middle.
        """
        if rate:
            return generate(self, Timeline.live(rate, now))
        if self.total is None:
            raise ProduceError("transactions without end need a rate (--rate)")
        return generate(self, Timeline.backlog(self.total, now, PACE_MS / self.accounts))

    def summary(self, kinds: Mapping[str, int]) -> Generated:
        """Sum up what was sent."""
        counts = Counter(kinds)
        bad = {kind.value: counts[kind] for kind in BAD if counts[kind]}
        planted = {kind.value: counts[kind] for kind in Fraud if counts[kind]}
        return Generated(
            accounts=counts[Kind.ACCOUNT],
            transactions=counts.total() - counts[Kind.ACCOUNT],
            planted=sum(planted.values()),
            late=counts[Kind.LATE],
            bad=sum(bad.values()),
            planted_by_kind=planted,
            bad_by_kind=bad,
        )


#: The options that say how much fraud is planted.
SHARES: Final = (
    share("--card-testing-share", "Part of the transactions that tests cards [0.01].", default=0.01),
    share("--take-over-share", "Part that is of accounts taken over [0.003].", default=0.003),
    share("--mule-share", "Part that is of money mules [0.003].", default=0.003),
)
#: The options of `streamapp produce` that make it.
OPTIONS: Final = (
    click.Option(["--accounts"], type=click.IntRange(min=1), default=1_000, help="Accounts with a profile [1,000]."),
    click.Option(["--transactions"], type=click.IntRange(min=0), default=10_000, help="Transactions [10,000]."),
    *SHARES,
    ENDLESS,
    SEED,
    LATE_SHARE,
    BAD_SHARE,
)


def generate(traffic: Traffic, timeline: Timeline) -> Iterator[Record]:
    """Yield the records of `traffic` in the order of `timeline`: the same for the same two arguments."""
    people, slots = People(traffic.seed, traffic.accounts), itertools.count()
    for account in range(traffic.accounts):
        habits = people.habits(account)
        yield _profile(f"a{account}", timeline.start - habits.age_days * DAY_MS, habits.limit, timeline.at(next(slots)))
    stream = _Stream(traffic, people)
    for number in itertools.count() if traffic.endless else range(traffic.transactions):
        yield from stream.at(number, timeline.at(next(slots)))


class _Due(msgspec.Struct, frozen=True, order=True, gc=False):
    """A payment of a case that is due."""

    time: int
    order: int
    payment: Payment
    kind: Fraud | None
    case: str


class _Stream:
    """Transactions, one after the other."""

    def __init__(self, traffic: Traffic, people: People) -> None:
        self._rng = random.Random(traffic.seed)  # noqa: S311 - reproducible, not secret
        self._traffic, self._people = traffic, people
        self._planted = Planted(self._rng, people, traffic.shares)
        self._due: list[_Due] = []
        self._order = itertools.count()
        # Only what is of no case is late or bad.
        others = 1.0 - sum(traffic.shares.values())
        self._bad = traffic.bad_share / others
        self._late = self._bad + traffic.late_share / others

    def at(self, number: int, time: int) -> Iterator[Record]:
        """Yield a transaction at an event time (ms), and before it the profile of an account that is opened for it."""
        if not self._due or self._due[0].time > time:
            for kind, case, plan in self._planted.begun():
                yield from self._begin(kind, case, plan, time)
            if not self._due or self._due[0].time > time:
                yield self._ordinary(number, time)
                return
        due = heapq.heappop(self._due)
        payment = due.payment
        label: Kind | Fraud = Kind.TRANSACTION if due.kind is None else due.kind
        yield _transaction(self._id(number), label, payment.account, payment.ip, payment.amount, time, due.case)

    def _begin(self, kind: Fraud | Honest, case: int, plan: Plan, time: int) -> Iterator[Record]:
        fraud = kind if isinstance(kind, Fraud) else None
        name = f"{kind}-{case}" if fraud else ""
        for payment in plan.payments:
            heapq.heappush(self._due, _Due(time + payment.after, next(self._order), payment, fraud, name))
        if plan.opened:
            account, age_days, limit = plan.opened
            yield _profile(account, time - age_days * DAY_MS, limit, time)

    def _ordinary(self, number: int, time: int) -> Record:
        rng = self._rng
        draw, account = rng.random(), int(rng.random() * self._people.accounts)
        ip, amount = self._people.payment(rng, account)
        name = f"a{account}"
        if draw < self._bad:
            return _spoiled(rng.choice(BAD), _transaction(self._id(number), Kind.LATE, name, ip, amount, time))
        if draw < self._late:
            time = max(1, time - rng.randint(*LATENESS_MS))
            return _transaction(self._id(number), Kind.LATE, name, ip, amount, time)
        return _transaction(self._id(number), Kind.TRANSACTION, name, ip, amount, time)

    def _id(self, number: int) -> str:
        return f"t{self._traffic.seed}-{number}"


def _profile(account: str, opened: float, limit: int, timestamp: int) -> Record:
    value = f'{{"account":"{account}","opened":{int(opened)},"limit":{limit}}}'
    return Record(ACCOUNTS, Kind.ACCOUNT, account.encode(), value.encode(), timestamp)


def _transaction(
    name: str, kind: Kind | Fraud, account: str, ip: str, amount: float, timestamp: int, planted: str = ""
) -> Record:
    mark = f',"planted":"{planted}"' if planted else ""
    value = (
        f'{{"transaction_id":"{name}","account":"{account}","ip":"{ip}","amount":{amount!r},"time":{timestamp}{mark}}}'
    ).encode()
    return Record(TRANSACTIONS, kind, account.encode(), value, timestamp)


def _spoiled(kind: Kind, record: Record) -> Record:
    key, value = record.key or b"", record.value or b""
    before_ip, ip, rest = value.partition(b'"ip":"')
    before_amount, amount, _ = value.partition(b',"amount":')
    match kind:
        case Kind.NOT_JSON:
            value = value[:-1]
        case Kind.NO_AMOUNT:
            value = before_amount + b"}"
        case Kind.NO_MONEY:
            value = before_amount + amount + b"-1}"
        case Kind.NO_IP:
            value = before_ip + ip + b"999." + rest
        case Kind.WRONG_KEY:
            key = b"not-" + key
    kept = None if kind is Kind.NULL_KEY else key, None if kind is Kind.TOMBSTONE else value
    return Record(record.topic, kind, *kept, record.timestamp)
