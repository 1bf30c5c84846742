"""The tables."""

from __future__ import annotations

from streamapp.app import app, settings
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.rows import format_of
from streamapp.settings import PREFIX

__all__ = ["profiles"]


def _misfit(row: bytes) -> str:
    """Return why a row cannot be one of profiles as the settings have them; empty = it can."""
    was, now = format_of(row), sides.profiles.rows
    if was is now:
        return ""
    kinds = {name: getattr(settings, name) for name in ("format", "profile_format", "joined_format")}
    told = " and ".join(f"{PREFIX}{name.upper()}={kind}" for name, kind in kinds.items() if kind is not None)
    return f"the rows of the table {profiles.name} are in {was}, and {told} would write them in {now}"


profiles = app.table("user_profiles", help="the latest profile of each user, by user_id")
profiles.misfit = _misfit
if sides.profiles.kind is not FormatName.JSON:
    profiles.shown = sides.profiles.shown
# A click finds its profile by the bytes of its key, which are also in the results.
profiles.encoded_keys, profiles.keyed_as_source = sides.keys, True
