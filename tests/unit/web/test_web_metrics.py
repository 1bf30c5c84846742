from __future__ import annotations

from collections import Counter

from prometheus_client.core import CounterMetricFamily

from streamapp.web.metrics import Metrics


def test_each_app_has_metrics_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.monitor().count("seen")
    assert b'faust_metrics_by_name{metric="seen"} 1.0' in one.exposition()
    assert b'metric="seen"' not in other.exposition()


def test_a_source_is_asked_anew_each_time() -> None:
    metrics, counts = Metrics(), Counter[str]()

    def source() -> list[CounterMetricFamily]:
        family = CounterMetricFamily("records", "records that were read", labels=["topic"])
        for topic, count in counts.items():
            family.add_metric([topic], count)
        return [family]

    metrics.add(source)
    assert b"\nrecords_total{" not in metrics.exposition()
    counts["clicks"] += 3
    assert b'\nrecords_total{topic="clicks"} 3.0\n' in metrics.exposition()
