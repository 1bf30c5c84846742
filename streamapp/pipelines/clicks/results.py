"""What the click join writes: made from the raw JSON of both sides, which is not parsed or printed again."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.joins import Missing, Row
from streamapp.kafka.record import Result
from streamapp.pipelines.clicks.models import UnmatchedReason
from streamapp.runtime.decoding import Keyed

__all__ = ["joined", "reason_of", "unmatched"]

REASONS = {
    Missing.ABSENT: UnmatchedReason.NO_PROFILE.encode(),
    Missing.EXPIRED: UnmatchedReason.EXPIRED.encode(),
}


def joined(matched: Iterable[tuple[Keyed, Row | None]], now: float) -> list[Result]:
    """Give ``{"click": …, "profile": … or null, "join_timestamp": seconds}`` of each click and its profile.

    Args:
        matched: clicks, each with the row of its profile, or None.
        now: the time of the join (s since 1970).
    """
    end = b',"join_timestamp":%.6f}' % now  # once a batch: to print it costs as much as a join
    return [
        (click, b"".join((b'{"click":', click.value, b',"profile":', b"null" if row is None else row.value, end)))
        for click, row in matched
    ]


def unmatched(click: bytes, missing: Missing) -> bytes:
    """Give ``{"click": …, "reason": "no_profile" or "expired"}``."""
    return b'{"click":%b,"reason":"%b"}' % (click, REASONS[missing])


def reason_of(value: bytes) -> str:
    """Return the reason that is in what `unmatched` made."""
    return value[value.rindex(b'"reason":"') + 10 : -2].decode()
