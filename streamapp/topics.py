"""Topics in and out."""

from __future__ import annotations

from streamapp.app import app
from streamapp.settings import CLICKS, JOINED, PROFILES, UNMATCHED

__all__ = ["joined_data", "unmatched_clicks", "user_clicks", "user_profiles"]

user_profiles = app.batches(PROFILES)
# A click must find the profile that was produced before it.
user_clicks = app.batches(CLICKS, after=(PROFILES,))

joined_data = app.output(JOINED)
unmatched_clicks = app.output(UNMATCHED)
