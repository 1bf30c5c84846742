"""The tables."""

from __future__ import annotations

from streamapp.app import app
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.formats import sides

__all__ = ["profiles"]

profiles = app.table("user_profiles", help="the latest profile of each user, by user_id")
if sides.profiles.kind is not FormatName.JSON:
    profiles.shown = sides.profiles.shown
# A click finds its profile by the bytes of its key, which are also in the results.
profiles.encoded_keys, profiles.keyed_as_source = sides.keys, True
