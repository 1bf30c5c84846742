"""The agents of transactions: what just happened to their account and to their IP, and what is to become of them."""

from __future__ import annotations

from faust.types import StreamT

from streamapp.app import app, settings
from streamapp.joins import Record
from streamapp.pipelines.risk.explained import Decisions
from streamapp.pipelines.risk.judging import Judge
from streamapp.pipelines.risk.results import arrived, on_to_ip, records
from streamapp.pipelines.risk.tables import profiles
from streamapp.pipelines.risk.topics import alerts, by_account, by_ip, scores, through_ip, transactions
from streamapp.runtime.batch import Batch

__all__ = ["ask_account", "score"]

profiles.read_ahead(transactions)
app.explain(Decisions())
judge = Judge(app, settings)
app.panels.append(lambda: judge.panel(alerts.topic))


@app.agent(transactions)
async def ask_account(batches: StreamT[Batch]) -> None:
    """Send each transaction on to its IP, with what just happened to its account, and what is known of that."""
    async for batch in batches:
        sent: list[tuple[bytes, Record, bytes]] = []
        for part in batch.by_partition():
            featured = by_account.process(part)
            known = profiles.of(part).get_many([one.key for one in featured])
            sent += on_to_ip(featured, known, part.partition)
        through_ip.send(batch, sent)


@app.agent(through_ip.topic)
async def score(batches: StreamT[Batch]) -> None:
    """Tell of each transaction what just happened to its IP, what the model and the rules say, and so its decision."""
    async for batch in batches:
        featured = [one for part in batch.by_partition() for one in by_ip.process(part)]
        told, alarming = records(batch, featured, await judge.decide(batch, arrived(featured)))
        scores.send(batch, told, rekeyed=True)
        alerts.send(batch, alarming, rekeyed=True)
