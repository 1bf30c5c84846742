"""Topics in and out."""

from __future__ import annotations

from streamapp.app import app
from streamapp.joins import How
from streamapp.results import reason_of
from streamapp.settings import CLICKS, JOINED, PROFILES, UNMATCHED
from streamapp.tables import profiles

__all__ = ["joined_data", "unmatched_clicks", "user_clicks", "user_profiles"]

user_profiles = app.batches(PROFILES, create=True)
# A click must find the profile that was produced before it.
user_clicks = app.batches(CLICKS, after=(PROFILES,), create=True)

joined_data = app.output(JOINED)
unmatched_clicks = app.unmatched(UNMATCHED, table=profiles, reason=reason_of, keeps=app.settings.join is How.LEFT)
