"""What the risk of a transaction costs, without Kafka: python -m benchmarks.risk_model

Features, model, rules and decision, of generated traffic in batches of several sizes; the model's own runs, too.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec

import streamapp.pipelines.risk as package
from streamapp.joins import Event
from streamapp.pipelines.risk.deciding import Thresholds, decide
from streamapp.pipelines.risk.inference import read_model
from streamapp.pipelines.risk.models import Candidate
from streamapp.pipelines.risk.offline import Offline
from streamapp.pipelines.risk.reloading import Reloaded
from streamapp.pipelines.risk.rules import read_rules
from streamapp.pipelines.risk.scoring import Run, Scorer
from streamapp.pipelines.risk.settings import TRANSACTIONS, RiskSettings
from streamapp.pipelines.risk.traffic import Traffic

T = TypeVar("T")

BATCHES = (1, 20, 100, 500, 5_000)
GRACE_MS = 10_000
#: Transactions that are decided on at most for each size of batches.
DECIDED = 20_000
PACKAGED = Path(package.__file__).parent


class Decided(msgspec.Struct):
    """Of batches of a size: times of the whole decision, of which the model's runs are a part."""

    batch: int
    us_per_transaction: float
    p50_ms: float
    p99_ms: float
    model_p99_ms: float
    model_us_per_transaction: float
    unscored: int


class Report(msgspec.Struct):
    transactions: int
    features_us_per_transaction: float
    decided: list[Decided]


def featured(transactions: int, accounts: int) -> tuple[list[Candidate], float]:
    """Return transactions with their features, and the CPU time (s) that these took."""
    traffic = Traffic(accounts=accounts, transactions=transactions)
    offline, events = Offline(GRACE_MS), list[Event]()
    for record in traffic.records(0, time.time_ns() // 1_000_000):
        if record.topic == TRANSACTIONS:
            events.append(Event(record.key, record.value, record.timestamp))
        else:
            offline.keep(record.value or b"")
    gc.freeze()
    found: list[Candidate] = []
    begin = time.process_time()
    for batch in chunks(events, 500):
        found += offline.process(batch)[0]
    return found, time.process_time() - begin


async def decided(candidates: Sequence[Candidate], size: int) -> Decided:
    runs: list[Run] = []
    models = Reloaded("model", PACKAGED / "model/risk.onnx", read_model)
    scorer, rules = Scorer(models, RiskSettings().risk_budget / 1000, runs.append), read_rules(PACKAGED / "rules.toml")
    await decide(candidates[:500], scorer, rules, Thresholds())
    runs.clear()
    seconds, models_seconds, unscored = [], [], 0
    part = candidates[: min(DECIDED, size * 1_000)]
    for batch in chunks(part, size):
        before, begin = len(runs), time.perf_counter()
        scores = await decide(batch, scorer, rules, Thresholds())
        seconds.append(time.perf_counter() - begin)
        models_seconds.append(sum(run.seconds for run in runs[before:]))
        unscored += sum(score.unscored is not None for score in scores)
    scorer.close()
    rows = sum(run.rows for run in runs)
    return Decided(
        batch=size,
        us_per_transaction=round(sum(seconds) / len(part) * 1e6, 2),
        p50_ms=quantile(seconds, 0.5),
        p99_ms=quantile(seconds, 0.99),
        model_p99_ms=quantile(models_seconds, 0.99),
        model_us_per_transaction=round(sum(run.seconds for run in runs) / rows * 1e6, 2),
        unscored=unscored,
    )


def chunks(found: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (found[begin : begin + size] for begin in range(0, len(found), size))


def quantile(seconds: Sequence[float], part: float) -> float:
    return round(sorted(seconds)[int(part * (len(seconds) - 1))] * 1000, 3)


@click.command()
@click.option("--transactions", type=click.IntRange(min=10_000), default=40_000)
@click.option("--accounts", type=click.IntRange(min=1), default=2_000)
def main(transactions: int, accounts: int) -> None:
    """Measure, and print a line of JSON."""
    candidates, seconds = featured(transactions, accounts)
    found = [asyncio.run(decided(candidates, size)) for size in BATCHES]
    report = Report(len(candidates), round(seconds / len(candidates) * 1e6, 2), found)
    click.echo(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
