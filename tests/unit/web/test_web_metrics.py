from __future__ import annotations

import asyncio
from collections import Counter

from faust.types import TP
from prometheus_client.core import CounterMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from views import app_of, asked

from streamapp.runtime.histogram import Exemplar, Histogram
from streamapp.web.family import histogram
from streamapp.web.metrics import Metrics

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def text(metrics: Metrics) -> bytes:
    return asyncio.run(metrics.exposition())[0]


def test_each_app_has_metrics_of_its_own() -> None:
    one, other = Metrics(), Metrics()
    one.monitor().count("seen")
    assert b'faust_metrics_by_name{metric="seen"} 1.0' in text(one)
    assert b'metric="seen"' not in text(other)


def test_a_source_is_asked_anew_each_time() -> None:
    metrics, counts = Metrics(), Counter[str]()

    def source() -> list[CounterMetricFamily]:
        family = CounterMetricFamily("records", "records that were read", labels=["topic"])
        for topic, count in counts.items():
            family.add_metric([topic], count)
        return [family]

    metrics.add(source)
    assert b"\nrecords_total{" not in text(metrics)
    counts["clicks"] += 3
    assert b'\nrecords_total{topic="clicks"} 3.0\n' in text(metrics)


def timed() -> Histogram:
    one = Histogram((0.5, 1))
    for value in (0.2, 0.7, 3):
        one.observe(value)
    one.exemplify(Exemplar(TP("clicks", 3), 17, 0.7, at=1_700_000_000))
    return one


def test_a_histogram_has_the_counts_up_to_each_bound() -> None:
    metrics = Metrics()
    metrics.add(lambda: [histogram("seconds", "how long", [("clicks", timed())])])
    lines = text(metrics).decode().splitlines()
    found = [line for line in lines if line.startswith("streamapp_seconds")]
    assert found == [
        'streamapp_seconds_bucket{le="0.5",topic="clicks"} 1.0',
        'streamapp_seconds_bucket{le="1.0",topic="clicks"} 2.0',
        'streamapp_seconds_bucket{le="+Inf",topic="clicks"} 3.0',
        'streamapp_seconds_count{topic="clicks"} 3.0',
        'streamapp_seconds_sum{topic="clicks"} 3.9',
    ]


def test_open_metrics_have_exemplars_that_name_a_slow_record() -> None:
    metrics = Metrics()
    metrics.add(lambda: [histogram("seconds", "how long", [("clicks", timed())])])
    body, content_type = asyncio.run(metrics.exposition(OPEN_METRICS))
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    (exemplar,) = [one.exemplar for one in families["streamapp_seconds"].samples if one.exemplar]
    assert exemplar.labels == {"topic": "clicks", "partition": "3", "offset": "17"}
    assert exemplar.value == 0.7


def test_an_exemplar_longer_than_open_metrics_allow_is_left_out() -> None:
    metrics, one = Metrics(), timed()
    one.exemplify(Exemplar(TP("t" * 120, 3), 17, 0.7, at=0))
    metrics.add(lambda: [histogram("seconds", "how long", [("clicks", one)])])
    assert b" # {" not in asyncio.run(metrics.exposition(OPEN_METRICS))[0]


def test_a_worker_that_has_not_started_shows_its_state() -> None:
    (reply,) = asked(app_of(ready=False), "/metrics")
    lines = reply.body.decode().splitlines()
    assert 'streamapp_state{state="starting"} 1.0' in lines
    assert "streamapp_ready 0.0" in lines
    assert not [line for line in lines if line.startswith("streamapp_lag_records{")]
