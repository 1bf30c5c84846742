"""Cases that are planted in generated traffic: fraud, and what looks like it and is none."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterable
from typing import Final

import msgspec

from streamapp.pipelines.risk.people import People, elsewhere, money

__all__ = ["CASES", "Fraud", "Honest", "Payment", "Plan", "Planted"]

MINUTE_MS: Final = 60_000


class Fraud(enum.StrEnum):
    """Kinds of fraud.

    CARD_TESTING: somebody tries whether stolen cards work, by small amounts of many accounts from one IP within two
    minutes.

    TAKE_OVER: somebody has got into an account, and spends far more than its owner does, from an IP that the account
    has never had, within 20 minutes.

    MULE: an account that was opened a few days ago takes in payments from the IPs of many, and what came in goes out
    again, fast, in a few large ones from an IP that the mules of a ring have in common.
    """

    CARD_TESTING = "card_testing"
    TAKE_OVER = "take_over"
    MULE = "mule"


class Honest(enum.StrEnum):
    """What looks like fraud.

    SPREE: an account pays many times within 20 minutes, as usual otherwise.

    RUSH: many accounts pay from one IP within three minutes, in a canteen, say.

    NEWCOMER: an account that was opened a few days ago is used for the first time, by all of a family.
    """

    SPREE = "spree"
    RUSH = "rush"
    NEWCOMER = "newcomer"


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A payment of a case, so long (ms) after its begin."""

    after: int
    account: str
    ip: str
    amount: float


class Plan(msgspec.Struct, frozen=True):
    """How a case goes on."""

    payments: list[Payment]
    #: How old (days) is the account that is opened for it, if there is one, and what it may spend.
    opened: tuple[str, float, int] | None = None


def _times(rng: random.Random, count: int, span: float) -> list[int]:
    """Return times (ms) within a span, of which the first one is 0."""
    return sorted([0, *(int(rng.random() * span) for _ in range(count - 1))])


def _some(rng: random.Random, people: People) -> int:
    return int(rng.random() * people.accounts)


def _card_testing(rng: random.Random, people: People, _number: int) -> Plan:
    ip = elsewhere(rng)
    times = _times(rng, rng.randint(20, 60), rng.uniform(20_000, 2 * MINUTE_MS))
    return Plan([Payment(at, f"a{_some(rng, people)}", ip, money(rng.uniform(0.5, 3.0))) for at in times])


def _take_over(rng: random.Random, people: People, _number: int) -> Plan:
    account, ip = _some(rng, people), elsewhere(rng)
    usual = people.habits(account).amount
    times = _times(rng, rng.randint(3, 8), rng.uniform(2, 20) * MINUTE_MS)
    return Plan([Payment(at, f"a{account}", ip, money(usual * rng.uniform(4.0, 15.0))) for at in times])


def _mule(rng: random.Random, people: People, number: int) -> Plan:
    account, ring = f"m{number}", f"172.31.{number // 4 >> 8 & 255}.{number // 4 & 255}"
    span = int(rng.uniform(5, 20) * MINUTE_MS)
    came = []
    for at in _times(rng, rng.randint(4, 10), span):
        payer = _some(rng, people)
        ip, amount = people.payment(rng, payer)
        came.append(Payment(at, account, ip, money(amount * rng.uniform(1.0, 3.0))))
    parts = rng.randint(2, 4)
    total = sum(payment.amount for payment in came)
    went = [
        Payment(span + at, account, ring, money(total / parts * rng.uniform(0.8, 1.0)))
        for at in _times(rng, parts, 5 * MINUTE_MS)
    ]
    return Plan(came + went, (account, rng.uniform(0.5, 20.0), people.habits(_some(rng, people)).limit))


def _spree(rng: random.Random, people: People, _number: int) -> Plan:
    account = _some(rng, people)
    times = _times(rng, rng.randint(4, 10), rng.uniform(5, 20) * MINUTE_MS)
    return Plan([Payment(at, f"a{account}", *people.payment(rng, account)) for at in times])


def _rush(rng: random.Random, people: People, _number: int) -> Plan:
    ip = people.habits(_some(rng, people)).mobile
    times = _times(rng, rng.randint(15, 40), 3 * MINUTE_MS)
    return Plan([Payment(at, f"a{_some(rng, people)}", ip, money(rng.uniform(2.0, 14.0))) for at in times])


def _newcomer(rng: random.Random, people: People, number: int) -> Plan:
    like = _some(rng, people)
    family = [people.habits(_some(rng, people)).home for _ in range(rng.randint(1, 4))]
    times = _times(rng, rng.randint(4, 12), rng.uniform(5, 30) * MINUTE_MS)
    payments = [Payment(at, f"n{number}", rng.choice(family), people.payment(rng, like)[1]) for at in times]
    return Plan(payments, (f"n{number}", rng.uniform(0.1, 30.0), people.habits(like).limit))


#: What makes the plan of a case, and how many payments one has in the middle.
CASES: Final = {
    Fraud.CARD_TESTING: (_card_testing, 40.0),
    Fraud.TAKE_OVER: (_take_over, 5.5),
    Fraud.MULE: (_mule, 10.0),
    Honest.SPREE: (_spree, 7.0),
    Honest.RUSH: (_rush, 27.5),
    Honest.NEWCOMER: (_newcomer, 8.0),
}


class Planted:
    """Begins cases among payments, so that each kind is a share of them.

    Args:
        shares: of the payments, by kind.
    """

    def __init__(self, rng: random.Random, people: People, shares: dict[Fraud | Honest, float]) -> None:
        self._rng, self._people = rng, people
        others = 1.0 - sum(shares.values())
        #: How likely one of a kind begins at a payment that is of none.
        self._likely = {kind: share / CASES[kind][1] / others for kind, share in shares.items() if share}
        self._numbers = dict.fromkeys(shares, 0)
        self._any = sum(self._likely.values())

    def begun(self) -> Iterable[tuple[Fraud | Honest, int, Plan]]:
        """Return the cases that begin now, with their kinds and numbers."""
        if self._rng.random() < self._any:
            return [self._begin()]
        return ()

    def _begin(self) -> tuple[Fraud | Honest, int, Plan]:
        (kind,) = self._rng.choices(list(self._likely), list(self._likely.values()))
        number = self._numbers[kind]
        self._numbers[kind] += 1
        return kind, number, CASES[kind][0](self._rng, self._people, number)
