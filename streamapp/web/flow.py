"""What went through the worker: records read, results sent, records rejected, records held back or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from streamapp.runtime.unmatched import UnmatchedOutput

if TYPE_CHECKING:
    from streamapp.worker.app import App

__all__ = ["flow"]


def flow(app: App) -> Iterable[Metric]:
    """Give the counters of an app since its start; of a joined stream, ``read = matched + unmatched + rejected``.

    That most records come to nothing is what the watch says, as `streamapp.runtime.watch` has it.
    """
    read = CounterMetricFamily("streamapp_records_read", "records that the agents are done with", labels=["topic"])
    for topic, count in app.read.items():
        read.add_metric([topic], count)
    sent = CounterMetricFamily("streamapp_results_sent", "results that the broker acknowledged", labels=["topic"])
    for output in app.declared.sinks.values():
        sent.add_metric([output.topic], output.sent)
    rejected = CounterMetricFamily(
        "streamapp_records_rejected", "records that cannot be used", labels=["topic", "reason"]
    )
    for (topic, reason), count in app.dead_letters.counts.items():
        rejected.add_metric([topic, reason.value], count)
    ahead = CounterMetricFamily(
        "streamapp_records_ahead", "records further ahead of the wall clock than may be", labels=["topic"]
    )
    for topic, count in app.ahead.counts.items():
        ahead.add_metric([topic], count)
    unmatched = CounterMetricFamily(
        "streamapp_records_unmatched", "records that agents found no row for", labels=["topic", "reason"]
    )
    for output in app.declared.sinks.values():
        if isinstance(output, UnmatchedOutput):
            for (topic, why), count in output.counts.items():
                unmatched.add_metric([topic, why], count)
    nothing = GaugeMetricFamily(
        "streamapp_mostly_nothing", "1 = most of its records are rejected or unmatched now", labels=["what"]
    )
    for name in app.watch.names:
        nothing.add_metric([name], name in app.watch.bad)
    lost = CounterMetricFamily(
        "streamapp_records_lost", "records that were gone before they were read, at most", labels=["topic"]
    )
    for topic, count in app.losses.records.items():
        lost.add_metric([topic], count)
    held = GaugeMetricFamily("streamapp_records_held", "fetched records that wait for the topics which go first")
    held.add_metric([], app.held)
    enforced = CounterMetricFamily(
        "streamapp_batches_enforced", "batches that went although a partition they are joined with had nothing"
    )
    enforced.add_metric([], app.enforced)
    return [read, sent, rejected, ahead, unmatched, nothing, lost, held, enforced]
