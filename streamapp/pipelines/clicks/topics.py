"""Topics in and out."""

from __future__ import annotations

import logging
from typing import Any

from streamapp.app import app
from streamapp.joins import How
from streamapp.pipelines.clicks.models import FIELD
from streamapp.pipelines.clicks.results import reason_of
from streamapp.pipelines.clicks.tables import profiles as table
from streamapp.pipelines.clicks.values import clicks, profiles
from streamapp.runtime.decoding import Decoder
from streamapp.settings import CLICKS, JOINED, PROFILES, UNMATCHED
from streamapp.topology import Topic

__all__ = ["joined_data", "unmatched_clicks", "user_clicks", "user_profiles"]


def _by_user_id(name: str, values: Decoder[Any], *, after: tuple[Topic, ...] = (), tombstones: bool = False) -> Topic:
    """Declare a topic that is keyed by the user id, or is written once more by it."""
    if name not in app.settings.rekey:
        app.note(f"{app.settings.topic(name)}: joined by the record key", logging.INFO)
        return app.batches(name, after=after, create=True)
    declared = app.batches(name, create=True)
    return declared.rekey(values.key, name=FIELD, after=after, tombstones=tombstones)


user_profiles = _by_user_id(PROFILES, profiles, tombstones=True)
# A click must find the profile that was produced before it.
user_clicks = _by_user_id(CLICKS, clicks, after=(user_profiles,))

joined_data = app.output(JOINED)
unmatched_clicks = app.unmatched(UNMATCHED, table=table, reason=reason_of, keeps=app.settings.join is How.LEFT)
