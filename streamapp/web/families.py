"""What the app counts, as families of metrics: what went through the worker, and what became of it in joins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import asdict
from prometheus_client import Metric

from streamapp.runtime.unmatched import UnmatchedOutput
from streamapp.topology import App
from streamapp.web.family import counter, gauge

__all__ = ["flow", "joins"]


def flow(app: App) -> Iterable[Metric]:
    """Return the counters of an app since its start; of a joined stream, ``read = matched + unmatched + rejected``.

    That most records come to nothing is what the watch says, as `streamapp.runtime.watch` has it.
    """
    sinks = app.declared.sinks.values()
    unmatched = [count for sink in sinks if isinstance(sink, UnmatchedOutput) for count in sink.counts.items()]
    nothing = [(name, name in app.watch.bad) for name in app.watch.names]
    enforced = "batches that went although a partition they are joined with had nothing"
    by_reason = ("topic", "reason")
    return [
        counter("records_read", "records that the agents are done with", app.read.items()),
        counter("results_sent", "results that the broker acknowledged", ((sink.topic, sink.sent) for sink in sinks)),
        counter("records_rejected", "records that cannot be used", app.dead_letters.counts.items(), by_reason),
        counter("records_ahead", "records further ahead of the wall clock than may be", app.ahead.counts.items()),
        counter("records_unmatched", "records that agents found no row for", unmatched, by_reason),
        gauge("mostly_nothing", "1 = most of its records are rejected or unmatched now", nothing, ["what"]),
        counter("records_lost", "records that were gone before they were read, at most", app.losses.records.items()),
        gauge("records_held", "fetched records that wait for the topics which go first", [((), app.held)]),
        counter("batches_enforced", enforced, [((), app.enforced)], ()),
    ]


def joins(app: App) -> Iterable[Metric]:
    """Return the balance of each join and partition: ``received = matched + unmatched + pending + late + rejected``.

    Windows have theirs, in families of their own: of a record that is matched, a window has given its last result.
    """
    tables: Counter[tuple[str, str]] = Counter()
    for table in app.global_tables:
        for name, count in asdict(table.table.updates).items():
            tables[table.topic, name] += count
    nouns = dict.fromkeys(["join", *(join.noun for join in app.joins)])
    return [
        *(family for noun in nouns for family in _accounts(app, noun)),
        gauge("global_table_updates", "updates of global tables, by account", tables.items(), ("topic", "account")),
    ]


def _accounts(app: App, noun: str) -> Iterable[Metric]:
    """Return the families of those joins that are called so."""
    joins = [join for join in app.joins if join.noun == noun]
    accounts = [(join.name, str(number), one) for join in joins for number, one in join.partitions.items()]
    balance = (((*of, name), count) for *of, one in accounts for name, count in asdict(one.balance).items())
    updates = (((*of, name), count) for *of, one in accounts for name, count in asdict(one.updates).items())
    clock = (((join, number), one.clock / 1000) for join, number, one in accounts if one.clock is not None)
    side = (((join.name, *about), count) for join in joins for about, count in join.side_outputs.counts.items())
    by_account = (noun, "partition", "account")
    yield gauge(f"{noun}_records", "records that can have a result, by account", balance, by_account)
    if noun == "join":
        yield gauge("join_updates", "records that others are joined with", updates, by_account)
    yield gauge(f"{noun}_clock_seconds", "event time", clock, (noun, "partition"))
    yield counter(f"{noun}_side_outputs", "records that are not matched", side, (noun, "topic", "reason"))
    yield counter(f"{noun}_results", "results that were given", [(join.name, join.given) for join in joins], (noun,))
    wrong = [(join.name, join.accounts.wrong) for join in joins]
    yield gauge(f"{noun}_balance_wrong", "partitions with records that are not accounted for", wrong, (noun,))
