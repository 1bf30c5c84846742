"""Accounts that traffic is generated of: what each one usually does, by its number alone."""

from __future__ import annotations

import math
import random
from typing import Final

import msgspec

__all__ = ["Habits", "People"]

#: The usual amount of half of the accounts is below this.
MEDIAN_AMOUNT: Final = 27.0
#: How far the accounts' usual amounts are apart, and the amounts of one of them (standard deviations of logarithms).
AMONG_ACCOUNTS, OF_ACCOUNT = 0.8, 0.5
#: The smallest amount.
LEAST_AMOUNT: Final = 0.5
#: The part of honest payments that is far larger than usual, and how much larger: at least, and at most.
LARGE_SHARE: Final = 0.02
LARGE_FACTOR: Final = (4.0, 12.0)
#: The part that is for next to nothing, and for how much at most.
SMALL_SHARE, SMALL_AMOUNT = 0.03, 3.0
#: The parts of payments that are made at home, and at home or on the way.
AT_HOME, NEAR_HOME = 0.85, 0.95
#: One of so many accounts has its IP in common with others, so many of them together.
SHARED_EVERY, SHARED_ACCOUNTS = 10, 20
#: So many accounts have an IP on the way in common.
MOBILE_ACCOUNTS: Final = 50
#: Addresses of one of so many homes are of IPv6.
IPV6_EVERY: Final = 20
#: The part of the accounts that is younger than `YOUNG_DAYS`, and how old the others are at most.
YOUNG_SHARE, YOUNG_DAYS, OLDEST_DAYS = 0.05, 30.0, 2_000.0

MASK: Final = (1 << 64) - 1
#: Odd, and far from any pattern (the golden ratio's digits).
STEP: Final = 0x9E3779B97F4A7C15


class Habits(msgspec.Struct, frozen=True, gc=False):
    """What an account usually does."""

    #: The amount in the middle of what it pays.
    amount: float
    home: str
    mobile: str
    #: Since when it is there, before the begin of the traffic.
    age_days: float
    #: What it may spend.
    limit: int


class People:
    """The accounts, by their numbers.

    Args:
        seed: the same one gives the same accounts.
        accounts: how many there are.
    """

    def __init__(self, seed: int, accounts: int) -> None:
        self._seed = seed
        self.accounts = accounts
        self._known: dict[int, Habits] = {}

    def habits(self, account: int) -> Habits:
        """Return what an account usually does."""
        found = self._known.get(account)
        if found is None:
            found = self._known[account] = self._made(account)
        return found

    def payment(self, rng: random.Random, account: int) -> tuple[str, float]:
        """Return the IP and the amount of an honest payment."""
        habits = self.habits(account)
        amount = habits.amount * math.exp(rng.gauss(0.0, OF_ACCOUNT))
        unusual = rng.random()
        if unusual < LARGE_SHARE:
            amount *= rng.uniform(*LARGE_FACTOR)
        elif unusual < LARGE_SHARE + SMALL_SHARE:
            amount = rng.uniform(LEAST_AMOUNT, SMALL_AMOUNT)
        place = rng.random()
        ip = habits.home if place < AT_HOME else habits.mobile if place < NEAR_HOME else elsewhere(rng)
        return ip, money(amount)

    def _made(self, account: int) -> Habits:
        first, second, third = (self._number(account, salt) for salt in range(3))
        # Of a uniform number one that is nearly normal, by its logit.
        spread = math.log((first + 0.001) / (1.001 - first)) / 1.7
        amount = MEDIAN_AMOUNT * math.exp(AMONG_ACCOUNTS * spread)
        young = second < YOUNG_SHARE
        age = second / YOUNG_SHARE * YOUNG_DAYS if young else YOUNG_DAYS + (OLDEST_DAYS - YOUNG_DAYS) * third
        shared = account % SHARED_EVERY == 0
        house = account // (SHARED_EVERY * SHARED_ACCOUNTS) if shared else account
        mobile = account % max(1, self.accounts // MOBILE_ACCOUNTS)
        return Habits(amount, _home(house, shared=shared), ipv4(100, 64, mobile), age, 100 * math.ceil(amount / 5))

    def _number(self, account: int, salt: int) -> float:
        """Return a number from 0 to 1, as good as random (the finalizer of SplitMix64)."""
        mixed = (account * STEP + self._seed * STEP**3 + (salt + 1) * STEP**5) & MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return (mixed ^ (mixed >> 31)) / (MASK + 1)


def money(amount: float) -> float:
    """Return an amount as it is paid."""
    return max(LEAST_AMOUNT, round(amount, 2))


def elsewhere(rng: random.Random) -> str:
    """Return an IP that hardly anybody has."""
    number = int(rng.random() * (1 << 20))
    if number % IPV6_EVERY == 0:
        return (
            f"2001:db8:ffff::{number:x}" if number < 1 << 16 else f"2001:db8:ffff::{number >> 16:x}:{number & 65535:x}"
        )
    return ipv4(172, 16, number)


def ipv4(first: int, second: int, number: int) -> str:
    """Return an address of a network by its number."""
    return f"{first}.{second + (number >> 16) % (256 - second)}.{number >> 8 & 255}.{number & 255}"


def _home(house: int, *, shared: bool) -> str:
    if shared:
        return ipv4(192, 0, house)
    return f"2001:db8:{house >> 16 & 65535:x}:{house & 65535:x}::1" if house % IPV6_EVERY == 1 else ipv4(10, 0, house)
