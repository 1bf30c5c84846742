"""The click agent: joins each click with its user's profile, by hand."""

from __future__ import annotations

import time
from collections import defaultdict

from faust.types import StreamT

from streamapp.app import app
from streamapp.batching.batch import Batch
from streamapp.batching.decoding import Decoder
from streamapp.joins import Clock, StreamTableJoin
from streamapp.models import Click
from streamapp.results import joined, unmatched
from streamapp.tables import profiles
from streamapp.topics import joined_data, unmatched_clicks, user_clicks

__all__ = ["join_clicks"]

decoder = Decoder(Click, key=lambda click: click.user_id)
join = StreamTableJoin(app.settings.join, ttl=int(app.settings.profile_ttl * 1000))


@app.agent(user_clicks)
async def join_clicks(batches: StreamT[Batch]) -> None:
    """Join clicks with profiles; clicks without one are set aside with the reason."""
    clocks: defaultdict[int, Clock] = defaultdict(Clock)
    async for batch in batches:
        clicks, bad = decoder.split(batch)
        await app.dead_letters.send(bad)
        clock, profile_of = clocks[batch.partition], profiles.partition(batch.partition).get
        now = time.time()
        matched, missed = [], []
        for click, _ in clicks:
            clock.advance(click.timestamp)
            match = join.match(click.key, click.timestamp, profile_of)
            if match.emitted:
                matched.append((click, joined(click.value, match.row, now)))
            if match.missing:
                missed.append((click, unmatched(click.value, match.missing)))
        await app.emit(batch, joined_data, matched)
        await app.emit(batch, unmatched_clicks, missed)
        await profiles.expire(batch.partition, join.expiry(clock.now))
