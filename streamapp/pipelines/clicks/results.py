"""What the click join writes: made from the raw JSON of both sides, which is not parsed or printed again."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.joins import Reason, Row
from streamapp.kafka.record import Result
from streamapp.runtime.decoding import Keyed

__all__ = ["joined", "reason_of", "unmatched"]


def joined(matched: Iterable[tuple[Keyed, Row | None]], now: float) -> list[Result]:
    """Return ``{"click": …, "profile": … or null, "join_timestamp": seconds}`` of each click and its profile.

    Args:
        matched: clicks, each with the row of its profile, or None.
        now: the time of the join (s since 1970).
    """
    end = b',"join_timestamp":%.6f}' % now  # once a batch: to print it costs as much as a join
    return [
        (click, b"".join((b'{"click":', click.value, b',"profile":', b"null" if row is None else row.value, end)))
        for click, row in matched
    ]


def unmatched(click: bytes, reason: Reason) -> bytes:
    """Return ``{"click": …, "reason": "unmatched" or "expired"}``."""
    return b'{"click":%b,"reason":"%b"}' % (click, reason.encode())


def reason_of(value: bytes) -> Reason:
    """Return the reason that what is written of an unmatched click ends with, in any format.

    An earlier version called a profile that is not there ``no_profile``.
    """
    return Reason.EXPIRED if value.rstrip(b'"}').endswith(Reason.EXPIRED.encode()) else Reason.UNMATCHED
