"""The profile agent: keeps the latest profile of each user in the table."""

from __future__ import annotations

import operator

from faust.types import StreamT

from streamapp.app import app
from streamapp.joins import Row
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.tables import profiles
from streamapp.pipelines.clicks.topics import user_profiles
from streamapp.pipelines.clicks.values import profiles as decoder
from streamapp.runtime.batch import Batch

__all__ = ["keep_profiles"]

row = sides.profiles.kept if sides.profiles.framed else operator.attrgetter("value")
profiles.source = user_profiles.name  # as many partitions as that has


@app.agent(user_profiles)
async def keep_profiles(batches: StreamT[Batch]) -> None:
    """Write each profile to the table; a tombstone deletes it."""
    async for batch in batches:
        good, bad = decoder.split(batch)
        app.dead_letters.reject(batch, bad)
        profiles.of(batch).write(
            {profile.key: None if profile.value is None else Row(row(profile), profile.timestamp) for profile in good}
        )
