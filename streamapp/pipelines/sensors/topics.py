"""Topics in and out, and the detector that the settings make."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from streamapp.app import app, settings
from streamapp.extras import MissingExtraError
from streamapp.kafka.record import Result
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine
from streamapp.pipelines.sensors.limits import Limits
from streamapp.pipelines.sensors.settings import ANOMALIES, LATE, MINUTES, READINGS
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import Output
from streamapp.runtime.work import Origin

__all__ = ["detector", "device_anomalies", "device_minutes", "idle", "late_readings", "readings", "told_by_detector"]


class Elsewhere(Output):
    """Takes records of which another operator of the topic tells: they are counted, and sent nowhere once more."""

    def send(
        self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False, origin: Origin | None = None
    ) -> None:
        """Send nothing."""

    def send_as_they_came(self, batch: Batch, results: Sequence[Result], origin: Origin | None = None) -> None:
        """Send nothing."""


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _engine() -> Engine:
    try:
        engine = Engine(settings.sensors_engine)
    except MissingExtraError as exc:
        raise SystemExit(f"streamapp: {exc}") from None
    if engine.second_choice:
        app.note("numba is not installed: readings are judged by numpy; pip install 'streamapp[sensors]'")
    else:
        app.note(f"readings are judged by {engine.kind}", logging.INFO)
    app.before_start.append(engine.prepare)
    return engine


detector: Final = Detector(
    engine=_engine(),
    limits=Limits(
        deviation=settings.sensors_deviation,
        outlier=settings.sensors_outlier,
        jump=settings.sensors_jump,
        stuck=_ms(settings.sensors_stuck),
        season=settings.sensors_season,
        silence=_ms(settings.sensors_silence),
        memory=settings.sensors_memory,
        resolution=settings.sensors_resolution,
        period=_ms(settings.sensors_period),
        bins=settings.sensors_bins,
    ),
    forget=_ms(settings.sensors_forget),
)
#: After how long (ms) without a record a partition's devices are silent.
idle: Final = _ms(settings.sensors_idle)
grace: Final = _ms(settings.sensors_grace)

readings = app.topic(READINGS, create=True, batches=True)
device_anomalies = app.sink(ANOMALIES)
device_minutes = app.sink(MINUTES)
late_readings = app.sink(LATE)
told_by_detector = Elsewhere(app, late_readings.topic)
