"""How the worker is at work, as families of metrics: batches, waits, latency, commits, lag, recovery, problems."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, cast

from prometheus_client import Metric

from streamapp import __version__
from streamapp.settings import Guarantee
from streamapp.topology import App
from streamapp.web.family import counter, gauge, histogram
from streamapp.web.health import State, health_of
from streamapp.worker.consumer import running
from streamapp.worker.recovery import TableManager

__all__ = ["lag", "standing", "work"]

TABLE_LABELS: Final = ("table", "partitions")


def work(app: App) -> Iterable[Metric]:
    """Return how batches come, wait, give results and are committed, since the start."""
    yield histogram("batch_records", "records of the batches that the agents are done with", app.batches.items())
    yield histogram("batch_wait_seconds", "from a batch being fetched until an agent may have it", app.waits.items())
    latencies = [(sink.topic, sink.latency) for sink in app.declared.sinks.values()]
    yield histogram("result_latency_seconds", "from event times until the broker has the results", latencies)
    consumer = running(app)
    if consumer is None:
        return
    checkpoint = consumer.checkpoint
    yield histogram("commit_seconds", "commits, of what was there since the one before", [((), checkpoint.seconds)], ())
    yield counter("commits_failed", "commits that failed: their work is done again", [((), checkpoint.failed)], ())
    if app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE:
        ended = [("committed", checkpoint.seconds.count), ("aborted", checkpoint.failed)]
        yield counter("transactions", "transactions that have ended", ended, ("outcome",))


def lag(app: App) -> Iterable[Metric]:
    """Return how far behind the partitions of this worker are, by the last look; nothing if that was too long ago."""
    consumer = running(app)
    latest = {} if consumer is None else consumer.lags.current
    of = ("topic", "partition")
    records = [((tp.topic, str(tp.partition)), one.lag) for tp, one in latest.items()]
    yield gauge("lag_records", "offsets that are not committed yet", records, of)
    known = [(tp, one.seconds) for tp, one in latest.items() if not math.isnan(one.seconds)]
    ages = [((tp.topic, str(tp.partition)), seconds) for tp, seconds in known]
    yield gauge("lag_seconds", "age of the first record that is not committed, by its event time", ages, of)


def standing(app: App) -> Iterable[Metric]:
    """Return what the worker is busy with, what is wrong with it, and how its recoveries go."""
    health, recovery = health_of(app), cast(TableManager, app.tables).recovery
    about = (__version__, app.settings.processing_guarantee.value)
    yield gauge("info", "always 1", [(about, 1)], ("version", "guarantee"))
    states = [(state.value, state is health.state) for state in State]
    yield gauge("state", "1 = the worker is busy with this", states, ["state"])
    yield gauge("ready", "1 = its partitions are recovered, and nothing is wrong", [((), health.ready)])
    yield gauge("problems", "what is wrong although the worker runs, in lines at /health", [((), len(health.problems))])
    assigned = [(topic, len(numbers)) for topic, numbers in health.assigned.items()]
    yield gauge("partitions", "partitions that this worker has", assigned, ["topic"])
    left = 0 if recovery.restoring is None else recovery.restoring.left
    yield gauge("recovery_rows_left", "changelog records that a recovery has still to read, at most", [((), left)])
    yield counter("recovery_rows", "changelog records that recoveries have read", [((), recovery.records)], ())
    consumer = running(app)
    sizes = {} if consumer is None else consumer.sizes.latest
    of = [((table, "owned" if owned else "followed"), size) for (table, owned), size in sizes.items()]
    yield gauge("table_rows", "rows of tables, as stores estimate them", [(a, b.rows) for a, b in of], TABLE_LABELS)
    yield gauge("table_bytes", "bytes of tables, as stores estimate them", [(a, b.bytes) for a, b in of], TABLE_LABELS)
    failed = [] if consumer is None else [("lag", consumer.lags.failed), ("tables", consumer.sizes.failed)]
    yield counter("looks_failed", "looks at lag or tables that failed unexpectedly", failed, ("at",))
    lasted = [] if recovery.last_s is None else [((), recovery.last_s)]
    yield gauge("recovery_seconds", "how long the last recovery took", lasted)
