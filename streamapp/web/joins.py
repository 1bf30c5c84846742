"""What became of the records that joins were given, by join and partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from streamapp.topology import App

__all__ = ["joins"]


def joins(app: App) -> Iterable[Metric]:
    """Give the balance of each join and partition: ``received = matched + unmatched + pending + late + rejected``."""
    labels = ["join", "partition", "account"]
    balance = GaugeMetricFamily("streamapp_join_records", "records that can have a result, by account", labels=labels)
    updates = GaugeMetricFamily("streamapp_join_updates", "records that others are joined with", labels=labels)
    clock = GaugeMetricFamily("streamapp_join_clock_seconds", "event time", labels=["join", "partition"])
    side = CounterMetricFamily(
        "streamapp_join_side_outputs", "records that are not matched", labels=["join", "topic", "reason"]
    )
    for join in app.joins:
        for partition, account in join.partitions.items():
            for name, count in msgspec.structs.asdict(account.balance).items():
                balance.add_metric([join.name, str(partition), name], count)
            for name, count in msgspec.structs.asdict(account.updates).items():
                updates.add_metric([join.name, str(partition), name], count)
            if account.clock is not None:
                clock.add_metric([join.name, str(partition)], account.clock / 1000)
        for (topic, reason), count in join.side_outputs.counts.items():
            side.add_metric([join.name, topic, reason.value], count)
    globals_ = GaugeMetricFamily(
        "streamapp_global_table_updates", "updates of global tables, by account", labels=["topic", "account"]
    )
    counts: Counter[tuple[str, str]] = Counter()
    for table in app.global_tables:
        for name, count in msgspec.structs.asdict(table.table.updates).items():
            counts[table.topic, name] += count
    for labels_, count in counts.items():
        globals_.add_metric(labels_, count)
    return [balance, updates, clock, side, globals_]
