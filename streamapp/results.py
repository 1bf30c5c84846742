"""What the click join writes: made from the raw JSON of both sides, which is not parsed or printed again."""

from __future__ import annotations

from streamapp.joins import Missing, Row
from streamapp.models import UnmatchedReason

__all__ = ["joined", "stamp", "unmatched"]

REASONS = {
    Missing.ABSENT: UnmatchedReason.NO_PROFILE.encode(),
    Missing.EXPIRED: UnmatchedReason.EXPIRED.encode(),
}


def stamp(now: float) -> bytes:
    """Give the time of a join (s since 1970) as JSON: once a batch, since printing it costs as much as a join."""
    return b"%.6f" % now


def joined(click: bytes, profile: Row | None, now: bytes) -> bytes:
    """Give ``{"click": …, "profile": … or null, "join_timestamp": seconds}``.

    Args:
        click: JSON of the click.
        profile: row with the JSON of the profile, or None.
        now: the time of the join (`stamp`).
    """
    return b'{"click":%b,"profile":%b,"join_timestamp":%b}' % (click, profile.value if profile else b"null", now)


def unmatched(click: bytes, missing: Missing) -> bytes:
    """Give ``{"click": …, "reason": "no_profile" or "expired"}``."""
    return b'{"click":%b,"reason":"%b"}' % (click, REASONS[missing])
