"""The account agent: keeps the latest profile of each account in the table."""

from __future__ import annotations

from faust.types import StreamT

from streamapp.app import app
from streamapp.joins import Row
from streamapp.pipelines.risk.tables import profiles
from streamapp.pipelines.risk.topics import accounts
from streamapp.pipelines.risk.values import profiles as decoder
from streamapp.runtime.batch import Batch

__all__ = ["keep_accounts"]

profiles.source = accounts.name  # as many partitions as that has


@app.agent(accounts)
async def keep_accounts(batches: StreamT[Batch]) -> None:
    """Write each profile to the table; a tombstone deletes it."""
    async for batch in batches:
        good, bad = decoder.split(batch)
        app.dead_letters.reject(batch, bad)
        profiles.of(batch).write(
            {profile.key: None if profile.value is None else Row(profile.value, profile.timestamp) for profile in good}
        )
