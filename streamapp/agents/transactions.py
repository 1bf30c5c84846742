"""The agents of transactions: what just happened to their account and to their IP, and what is to become of them."""

from __future__ import annotations

from faust.types import StreamT

from streamapp.app import app, settings
from streamapp.joins import Record
from streamapp.pipelines.risk import features
from streamapp.pipelines.risk.explained import Decisions
from streamapp.pipelines.risk.judging import Judge
from streamapp.pipelines.risk.results import arrived, at_once, on_to_ip, records
from streamapp.pipelines.risk.tables import profiles
from streamapp.pipelines.risk.topics import GRACE_MS, ONE_STEP, alerts, by_account, scores, transactions
from streamapp.runtime.batch import Batch
from streamapp.settings import PREFIX

__all__: list[str] = []

profiles.read_ahead(transactions)
app.explain(Decisions())
judge = Judge(app, settings)
app.panels.append(lambda: judge.panel(alerts.topic))

if ONE_STEP:
    steps = f"{PREFIX}RISK_STEPS"
    app.single(transactions, f"{steps}=one counts what an IP does in one: set {steps}=two")
    app.no_hop(transactions, "ip", f"{steps}=two")

    @app.agent(transactions)
    async def score_at_once(batches: StreamT[Batch]) -> None:
        """Tell of each transaction what just happened to its account and its IP, and so its decision."""
        async for batch in batches:
            (part,) = batch.by_partition()
            featured = by_account.process(part)
            known = profiles.of(part).get_many([one.key for one in featured])
            candidates = at_once(featured, known, part.partition)
            told, alarming = records(batch, featured, await judge.decide(batch, candidates))
            scores.send(batch, told)
            alerts.send(batch, alarming)

else:
    #: Where a transaction goes on to the features of its IP.
    through_ip = app.hop(transactions, "ip")
    by_ip = app.operators("risk_ips", features.by_ip(GRACE_MS), through_ip.topic)

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
        """Tell of each transaction what just happened to its IP, what the model and the rules say: so its decision."""
        async for batch in batches:
            featured = [one for part in batch.by_partition() for one in by_ip.process(part)]
            told, alarming = records(batch, featured, await judge.decide(batch, arrived(featured)))
            scores.send(batch, told, rekeyed=True)
            alerts.send(batch, alarming, rekeyed=True)
