"""The records: what a value on each topic must look like.

Every value is a JSON object in UTF-8 and every key the user id in UTF-8, the bytes of the value's
``user_id`` without quotes: it decides the partition, so a click meets its profile there. A record's event
time is its Kafka timestamp, in milliseconds since 1970. A profile without a value (a tombstone) deletes the
profile.

What is declared here is checked strictly: a field that is missing or of another type is a
`msgspec.ValidationError` that names the path. Other fields are allowed, and the join passes them on as they
are.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

__all__ = ["Click", "Joined", "Profile", "Unmatched", "UnmatchedReason", "UserId"]

UserId = Annotated[str, msgspec.Meta(min_length=1)]


class Profile(msgspec.Struct, frozen=True, gc=False):
    """What is known of a user: a value of ``user_profiles``."""

    user_id: UserId
    name: str
    country: str | None = None
    plan: str | None = None


class Click(msgspec.Struct, frozen=True, gc=False):
    """A page that a user opened: a value of ``user_clicks``.

    ``timestamp`` (ms since 1970) is for readers of the value; the join goes by the Kafka timestamp.
    """

    click_id: str
    user_id: UserId
    url: str
    timestamp: int | None = None


class Joined(msgspec.Struct, frozen=True, gc=False):
    """A click with its user's profile: a value of ``joined_data``.

    ``click`` and ``profile`` are the bytes of the input values; a profile that is not there (left join) is
    ``null``. ``join_timestamp`` is the wall-clock time of the join in seconds since 1970.
    """

    click: msgspec.Raw
    profile: msgspec.Raw
    join_timestamp: float


class UnmatchedReason(enum.StrEnum):
    """Why a click found no profile."""

    NO_PROFILE = "no_profile"
    EXPIRED = "expired"


class Unmatched(msgspec.Struct, frozen=True, gc=False):
    """A click without a profile to join: a value of ``unmatched_clicks``.

    ``click`` is the bytes of the input value.
    """

    click: msgspec.Raw
    reason: UnmatchedReason
