"""The settings of the sensors' pipeline, and the names of its topics."""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from streamapp import setting_parsers as values
from streamapp.settings import PREFIX, Settings, SettingsError, setting

__all__ = ["ANOMALIES", "LATE", "MINUTES", "READINGS", "Kind", "SensorSettings"]

#: Names of the topics, before the prefix.
READINGS: Final = "readings"
ANOMALIES: Final = "device_anomalies"
MINUTES: Final = "device_minutes"
LATE: Final = "late_readings"

_limit = values.within(float, 0.0, 1e9, "a number, at least 0 (= never)")


class Kind(enum.StrEnum):
    """Which version of the detector runs."""

    #: That of numba if it is installed, else that of numpy.
    AUTO = "auto"
    NUMBA = "numba"
    NUMPY = "numpy"
    PYTHON = "python"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SensorSettings(Settings):
    """What can be set of the anomalies of devices; a limit of 0 switches a kind of them off."""

    sensors_engine: Kind = setting(Kind.AUTO, values.one_of(Kind), f"what judges readings: {', '.join(Kind)}")
    sensors_deviation: float = setting(8.0, _limit, "standard deviations from the moving mean")
    sensors_outlier: float = setting(8.0, _limit, "standard deviations, by median distances, from the moving median")
    sensors_jump: float = setting(8.0, _limit, "how many times as fast as usual a value changes")
    sensors_stuck: float = setting(5.0, values.seconds(0), "seconds that a value may stay the same")
    sensors_season: float = setting(6.0, _limit, "usual distances from what is expected at this time of the season")
    sensors_silence: float = setting(1.0, values.seconds(0), "seconds of event time that a device may send nothing")
    sensors_idle: float = setting(
        2.0, values.seconds(0.1), "seconds without a record after which event time goes on in a partition"
    )
    sensors_memory: int = setting(
        100, values.whole_number(2, 1_000_000), "readings that averages go back, and before a device is judged"
    )
    sensors_resolution: float = setting(
        1e-6, values.within(float, 1e-12, 1e9, "a number from 1e-12"), "differences of values that are none"
    )
    sensors_period: float = setting(60.0, values.seconds(0), "length of the season in seconds; 0 = there is none")
    sensors_bins: int = setting(30, values.whole_number(2, 10_000), "parts of the season")
    sensors_forget: float = setting(
        7 * 86_400.0, values.seconds(1), "seconds of event time after which a silent device is forgotten"
    )
    sensors_grace: float = setting(
        10.0, values.seconds(0.1), "seconds that a reading may be behind others, and count in its minute"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        least = max(self.sensors_silence, self.sensors_period)
        if self.sensors_forget <= least:
            raise SettingsError(
                f"{PREFIX}SENSORS_FORGET={self.sensors_forget:g}: it must be more than {PREFIX}SENSORS_SILENCE and "
                f"{PREFIX}SENSORS_PERIOD, {least:g}"
            )
