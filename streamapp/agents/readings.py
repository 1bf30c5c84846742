"""The readings of devices: what is wrong with them, told as it begins, and a summary of each minute."""

from __future__ import annotations

from streamapp.app import app
from streamapp.pipelines.sensors.metrics import SensorMetrics
from streamapp.pipelines.sensors.results import evidence
from streamapp.pipelines.sensors.topics import (
    detector,
    device_anomalies,
    device_minutes,
    grace,
    idle,
    late_readings,
    readings,
    told_by_detector,
)
from streamapp.windows import Count, Last, Max, Mean, Min, tumbling

__all__ = ["detecting", "minutes"]

metrics = SensorMetrics()

#: A reading is judged by what its device has shown so far; one that is older than the one before it is late.
detecting = readings.operator(detector, idle_timeout=idle, name="device_state").to(
    device_anomalies, value=metrics.result, late=late_readings
)
detecting.told.append(evidence(device_anomalies.topic))
app.panels.append(lambda: metrics.panel(device_anomalies.topic))
app.metrics.add(lambda: metrics.families(detecting.partitions))

#: All readings of a minute, in whatever order; of those that are none the detector tells.
minutes = readings.window(tumbling("1m"), grace=grace, idle_timeout=grace, name="device_minutes").agg(
    n=Count(), mean=Mean("value"), low=Min("value"), high=Max("value"), last=Last("value")
)
minutes.to(device_minutes, null_key=told_by_detector, rejected=told_by_detector)
