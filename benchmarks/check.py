"""The check of an output: each click joined exactly once, with its own content and its user's profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import orjson

from benchmarks.workload import Workload

__all__ = ["Check", "check"]


@dataclasses.dataclass(frozen=True)
class Check:
    """What was found in an output topic.

    Args:
        right: clicks that were joined, and rightly.
        missing: clicks that were not.
        repeated: records of a click that had one already.
        wrong: records that are not a click of the workload with its user's profile, under the user's key.
        first_wrong: the first of those.
    """

    right: int
    missing: int
    repeated: int
    wrong: int
    first_wrong: str = ""

    @property
    def ok(self) -> bool:
        """Whether each click was joined exactly once, and rightly."""
        return not (self.missing or self.repeated or self.wrong)

    def __str__(self) -> str:
        if self.ok:
            return "right"
        faults = {"missing": self.missing, "repeated": self.repeated, "wrong": self.wrong}
        found = ", ".join(f"{number:,} {fault}" for fault, number in faults.items() if number)
        return f"{found} of {self.right + self.missing:,}"


def check(workload: Workload, output: Iterable[tuple[bytes | None, bytes | None]]) -> Check:
    """Check keys and values of all records of an output topic against the workload."""
    seen = bytearray(workload.clicks)
    right = repeated = wrong = 0
    first_wrong = ""
    for key, value in output:
        number = _click_number(workload, key, value)
        if number is None:
            wrong += 1
            first_wrong = first_wrong or f"{key!r}: {value!r}"
        elif seen[number]:
            repeated += 1
        else:
            seen[number] = 1
            right += 1
    return Check(right, workload.clicks - right, repeated, wrong, first_wrong)


def _click_number(workload: Workload, key: bytes | None, value: bytes | None) -> int | None:
    """Give the number of the click that this is the right result of; None = it is of none."""
    try:
        result = orjson.loads(value or b"")
        number = int(result["click"]["click_id"].removeprefix("c"))
        user = workload.user(number)
        joined_at = float(result["join_timestamp"])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    right = (
        key == b"u%d" % user
        and joined_at > 0
        and number >= 0
        and result["click"] == orjson.loads(workload.click(number))
        and result["profile"] == orjson.loads(workload.profile(user))
        # Pathway says by this field whether a row came (1) or went (-1).
        and result.get("diff", 1) == 1
    )
    return number if right else None
