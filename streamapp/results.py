"""What the click join writes: made from the raw JSON of both sides, which is not parsed or printed again."""

from __future__ import annotations

from streamapp.joins import Missing, Row
from streamapp.models import UnmatchedReason

__all__ = ["joined", "unmatched"]

REASONS = {
    Missing.ABSENT: UnmatchedReason.NO_PROFILE.encode(),
    Missing.EXPIRED: UnmatchedReason.EXPIRED.encode(),
}


def joined(click: bytes, profile: Row | None, now: float) -> bytes:
    """Give ``{"click": …, "profile": … or null, "join_timestamp": seconds}``.

    Args:
        click: JSON of the click.
        profile: row with the JSON of the profile, or None.
        now: the time of the join (s since 1970).
    """
    return b'{"click":%b,"profile":%b,"join_timestamp":%.6f}' % (
        click,
        profile.value if profile else b"null",
        now,
    )


def unmatched(click: bytes, missing: Missing) -> bytes:
    """Give ``{"click": …, "reason": "no_profile" or "expired"}``."""
    return b'{"click":%b,"reason":"%b"}' % (click, REASONS[missing])
