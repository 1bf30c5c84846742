"""Topics in and out."""

from __future__ import annotations

from typing import Any

from streamapp.app import app
from streamapp.batching.decoding import Decoder
from streamapp.models import FIELD
from streamapp.settings import CLICKS, JOINED, PROFILES, UNMATCHED
from streamapp.topology import Topic
from streamapp.values import clicks, profiles

__all__ = ["joined_data", "unmatched_clicks", "user_clicks", "user_profiles"]


def _by_user_id(name: str, values: Decoder[Any], *, after: tuple[Topic, ...] = (), tombstones: bool = False) -> Topic:
    """Declare a topic that is keyed by the user id, or is written once more by it."""
    if name not in app.settings.rekey:
        app.joined_by.append(f"{app.settings.topic(name)}: joined by the record key")
        return app.batches(name, after=after)
    return app.batches(name).rekey(values.key, name=FIELD, after=after, tombstones=tombstones)


user_profiles = _by_user_id(PROFILES, profiles, tombstones=True)
# A click must find the profile that was produced before it.
user_clicks = _by_user_id(CLICKS, clicks, after=(user_profiles,))

joined_data = app.output(JOINED)
unmatched_clicks = app.output(UNMATCHED)
