"""The records: what a value on each topic must look like.

Every value is a JSON object in UTF-8 with the field ``user_id``, a string or an integer, and every key that in UTF-8
without quotes: ``7`` and ``"7"`` are one user, whose key is the byte ``7``. The key decides the partition, so a click
meets its profile there; topics that are keyed otherwise are written once more by it (``STREAMAPP_REKEY``). A record's
event time is its Kafka timestamp, in milliseconds since 1970. A profile without a value (a tombstone) deletes the
profile.

Nothing else is demanded, and the join passes all fields on as they are. What is declared here is checked strictly: a
field that is missing or of another type is a `msgspec.ValidationError` that names the path. To demand more, declare it
here, or in a type of your own that ``STREAMAPP_CLICK_TYPE`` or ``STREAMAPP_PROFILE_TYPE`` names (``module:Name``)::

    class Click(msgspec.Struct, frozen=True, gc=False):
        user_id: str
        url: str
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from streamapp.joins import Reason

__all__ = ["FIELD", "Click", "Joined", "Profile", "Unmatched", "UserId"]

#: The field that is joined on.
FIELD: Final = "user_id"

UserId = Annotated[str, msgspec.Meta(min_length=1)] | int


class Profile(msgspec.Struct, frozen=True, gc=False):
    """What is known of a user: a value of ``user_profiles``."""

    user_id: UserId


class Click(msgspec.Struct, frozen=True, gc=False):
    """A page that a user opened: a value of ``user_clicks``."""

    user_id: UserId


class Joined(msgspec.Struct, frozen=True, gc=False):
    """A click with its user's profile: a value of ``joined_data``.

    ``click`` and ``profile`` are the bytes of the input values; a profile that is not there (left join) is
    ``null``. ``join_timestamp`` is the wall-clock time of the join in seconds since 1970.
    """

    click: msgspec.Raw
    profile: msgspec.Raw
    join_timestamp: float


class Unmatched(msgspec.Struct, frozen=True, gc=False):
    """A click without a profile to join: a value of ``unmatched_clicks``.

    ``click`` is the bytes of the input value; the reason is that there is none (``unmatched``), or an old one
    (``expired``).
    """

    click: msgspec.Raw
    reason: Reason
