"""The check of an output: each result there exactly once, and rightly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Protocol

from benchmarks.workload import Output

__all__ = ["Check", "check"]


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found in an output topic.

    Args:
        right: results that are there, and right.
        missing: results that are not.
        repeated: records of a result that had one already.
        wrong: records that are no result of the load.
        first_wrong: the first of those.
    """

    right: int
    missing: int
    repeated: int
    wrong: int
    first_wrong: str = ""

    @property
    def ok(self) -> bool:
        """Whether each result is there exactly once, and nothing else."""
        return not (self.missing or self.repeated or self.wrong)

    def __add__(self, other: Check) -> Check:
        return Check(
            self.right + other.right,
            self.missing + other.missing,
            self.repeated + other.repeated,
            self.wrong + other.wrong,
            self.first_wrong or other.first_wrong,
        )

    def __str__(self) -> str:
        if self.ok:
            return "right"
        faults = {"missing": self.missing, "repeated": self.repeated, "wrong": self.wrong}
        found = ", ".join(f"{number:,} {fault}" for fault, number in faults.items() if number)
        return f"{found} of {self.right + self.missing:,}"


class Expected(Protocol):
    """What has to come of a load."""

    @property
    def results(self) -> int:
        """How many results there are."""

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Tell which of the results a record of the output is, if it is a right one; None = it is none of them."""


def check(load: Expected, output: Iterable[Output]) -> Check:
    """Check keys and values of all records of an output topic against what was to be joined."""
    seen = bytearray(load.results)
    right = repeated = wrong = 0
    first_wrong = ""
    for key, value in output:
        number = load.result(key, value)
        if number is None:
            wrong += 1
            first_wrong = first_wrong or f"{key!r}: {value!r}"
        elif seen[number]:
            repeated += 1
        else:
            seen[number] = 1
            right += 1
    return Check(right, load.results - right, repeated, wrong, first_wrong)
