"""The click agent: joins each click with its user's profile, by hand."""

from __future__ import annotations

import time
from collections import defaultdict

from faust.types import StreamT

from streamapp.app import app, settings
from streamapp.joins import Clock, StreamTableJoin
from streamapp.pipelines.clicks.explained import ClickJoin
from streamapp.pipelines.clicks.made import joined, unmatched
from streamapp.pipelines.clicks.tables import profiles
from streamapp.pipelines.clicks.topics import joined_data, unmatched_clicks, user_clicks
from streamapp.pipelines.clicks.values import clicks as decoder
from streamapp.runtime.batch import Batch

__all__ = ["join_clicks"]

ttl, kept = (int(seconds * 1000) for seconds in (settings.profile_ttl, settings.keep_expired))
join = StreamTableJoin(settings.join, ttl=ttl, kept=kept)
profiles.read_ahead(user_clicks)
app.explain(ClickJoin(join))


@app.agent(user_clicks)
async def join_clicks(batches: StreamT[Batch]) -> None:
    """Join clicks with profiles; clicks without one are set aside with the reason."""
    clocks: defaultdict[int, Clock] = defaultdict(app.clock)
    async for batch in batches:
        clicks, bad = decoder.split(batch)
        app.dead_letters.reject(batch, bad)
        matched, missed = join.match(clicks, profiles.of(batch), clocks[batch.partition])
        made, unwritten = joined(batch.tp, matched, time.time())
        joined_data.send(batch, made)
        aside, more = unmatched(batch.tp, missed)
        unmatched_clicks.send(batch, aside)
        app.dead_letters.reject(batch, [*unwritten, *more])
