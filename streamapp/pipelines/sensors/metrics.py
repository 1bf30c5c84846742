"""What is counted of readings, for ``/metrics``, beside the accounts that each operator has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from streamapp.pipelines.sensors.anomaly import Anomaly
from streamapp.pipelines.sensors.results import result
from streamapp.topology.accounts import Account
from streamapp.web.panels import Panel, Shown

__all__ = ["SensorMetrics"]


class SensorMetrics:
    """Counts anomalies by their reasons, as they are told: again, if a worker has to do its work again."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()

    def result(self, anomaly: Anomaly) -> bytes:
        """Return the value of an anomaly, and count it."""
        self._told.update(map(str, anomaly.reasons))
        return result(anomaly)

    def panel(self, topic: str) -> Panel:
        """Return what the page shows, with the newest results of a topic."""
        return Panel("Sensors", [Shown("anomalies by kind", dict(self._told))], topic=topic)

    def families(self, partitions: Mapping[int, Account]) -> Iterable[Metric]:
        """Return the metrics; of readings, by the accounts of the partitions that this worker has."""
        told = CounterMetricFamily("streamapp_sensors_anomalies", "anomalies that were told", labels=("reason",))
        for reason, count in self._told.items():
            told.add_metric([reason], count)
        judged = sum(account.balance.matched for account in partitions.values())
        late = sum(account.balance.late for account in partitions.values())
        return [
            told,
            GaugeMetricFamily("streamapp_sensors_judged", "readings that were judged, ever", value=judged),
            GaugeMetricFamily("streamapp_sensors_late", "readings that were late, ever", value=late),
        ]
