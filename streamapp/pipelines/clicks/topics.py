"""Topics in and out."""

from __future__ import annotations

import logging

from streamapp.app import app, settings
from streamapp.formats.named import FormatName
from streamapp.joins import How
from streamapp.pipelines.clicks import registered
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.models import FIELD
from streamapp.pipelines.clicks.results import reason_of
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, PROFILES, UNMATCHED
from streamapp.pipelines.clicks.tables import profiles as table
from streamapp.pipelines.clicks.values import Values, clicks, profiles
from streamapp.topology import Topic

__all__ = ["joined_data", "unmatched_clicks", "user_clicks", "user_profiles"]


def _by_user_id(name: str, values: Values, *, after: tuple[Topic, ...] = (), tombstones: bool = False) -> Topic:
    """Declare a topic that is keyed by the user id, or is written once more by it."""
    if name not in settings.rekey:
        app.note(f"{settings.topic(name)}: joined by the record key", logging.INFO)
        return app.topic(name, after=after, create=True, batches=True)
    declared = app.topic(name, create=True, batches=True)
    return declared.rekey(values.key, name=FIELD, after=after, tombstones=tombstones)


user_profiles = _by_user_id(PROFILES, profiles, tombstones=True)
# A click must find the profile that was produced before it.
user_clicks = _by_user_id(CLICKS, clicks, after=(user_profiles,))

joined_data = app.sink(JOINED)
unmatched_clicks = app.unmatched(UNMATCHED, table=table, reason=reason_of, keeps=settings.join is How.LEFT)
if registered.joined is None:  # else headers are told with the frame
    joined_data.made_as = unmatched_clicks.made_as = sides.clicks.into
if sides.clicks.into is not FormatName.JSON:
    formats = sides.formats()
    joined_data.value_shown = (registered.joined or formats[JOINED]).to_json
    unmatched_clicks.value_shown = (registered.unmatched or formats[UNMATCHED]).to_json
if sides.keys is not None:
    joined_data.key_shown = unmatched_clicks.key_shown = sides.keys.text
