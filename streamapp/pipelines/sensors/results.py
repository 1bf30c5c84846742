"""What comes of readings: anomalies as JSON, and what they say of the readings that they were found in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streamapp.explain.evidence import EvidenceTopic, Match
from streamapp.joins import Reason
from streamapp.kafka.log_reader import Logged
from streamapp.pipelines.sensors.anomaly import Anomaly

__all__ = ["evidence", "result"]

#: Digits after the point of the numbers that led to an anomaly.
DIGITS: Final = 6


class _Result(msgspec.Struct, frozen=True, gc=False):
    """A value of ``device_anomalies``."""

    device: str
    time: int
    reasons: list[str]
    value: float | None
    #: The place of the reading in its partition; null = it is that there is none.
    offset: int | None
    evidence: Mapping[str, float]


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Result).decode


def result(anomaly: Anomaly) -> bytes:
    """Return ``{"device": …, "time": ms, "reasons": […], "value": …, "offset": …, "evidence": {…}}``."""
    told = {name: round(number, DIGITS) for name, number in anomaly.evidence.items()}
    device, offset = anomaly.key.decode(errors="backslashreplace"), anomaly.offset if anomaly.offset >= 0 else None
    return _encode(_Result(device, anomaly.timestamp, [*anomaly.reasons], anomaly.value, offset, told))


def evidence(topic: str) -> EvidenceTopic:
    """Return the topic of the anomalies as evidence of what was found in a reading."""
    return EvidenceTopic(topic, frozenset({Reason.LATE, Reason.REFUSED}), _found)


def _found(found: Logged, reading: Logged) -> Match | None:
    if (found.timestamp, found.key) != (reading.timestamp, reading.key):
        return None
    told = _decode(found.value or b"")
    if told.offset != reading.offset:
        return None
    numbers = ", ".join(f"{name.replace('_', ' ')} {number:,.10g}" for name, number in told.evidence.items())
    return Match(decision=f"it is an anomaly ({', '.join(told.reasons)}): {numbers}")
