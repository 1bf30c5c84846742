"""Readings, as the demo shows them."""

from __future__ import annotations

from typing import Final

from streamapp.pipelines.demonstrated import Counts, Demonstrated, Measured
from streamapp.pipelines.sensors.settings import ANOMALIES, LATE, READINGS, SensorSettings

__all__ = ["demonstrated"]

#: Few devices, so that each shows what is usual of it soon.
TRAFFIC: Final = ("--devices", "20", "--planted-share", "0.05", "--late-share", "0.01", "--bad-share", "0.01")
#: Each of them sends every 50 ms.
RATE: Final = 400


def demonstrated(_settings: SensorSettings) -> Demonstrated:
    """Return how readings are shown: results are those that were judged, and alerts their anomalies."""
    return Demonstrated(TRAFFIC, "--readings", RATE, (READINGS, ANOMALIES, LATE), ANOMALIES, _counts)


def _counts(measured: Measured) -> Counts:
    readings, anomalies, late = (measured.topics[name] for name in (READINGS, ANOMALIES, LATE))
    judged = int(measured.metrics.get("streamapp_sensors_judged", 0))
    return Counts(records=readings, results=judged, rejected=measured.rejected, alerts=anomalies, late=late)
