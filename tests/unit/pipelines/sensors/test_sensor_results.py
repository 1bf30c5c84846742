"""What an anomaly is as a record, and what that tells of the reading."""

from __future__ import annotations

import json
from typing import Any, cast

from faust.types import TP

from streamapp.explain.evidence import Match
from streamapp.kafka.log_reader import Logged
from streamapp.pipelines.sensors.anomaly import Anomaly, Reason
from streamapp.pipelines.sensors.results import evidence, result

FOUND = Anomaly(b"d1", 5, [Reason.DEVIATION, Reason.JUMP], 60.5, {"mean": 20.0 + 1e-9, "deviation": 1 / 3}, 7)


def test_an_anomaly_is_a_json_object() -> None:
    assert json.loads(result(FOUND)) == {
        "device": "d1",
        "time": 5,
        "reasons": ["deviation", "jump"],
        "value": 60.5,
        "offset": 7,
        "evidence": {"mean": 20.0, "deviation": 0.333333},
    }


def test_a_silence_has_neither_a_value_nor_a_place() -> None:
    told = json.loads(result(Anomaly(b"\xff", 5, [Reason.SILENT], None, {"last_time": 4.0})))
    assert (told["device"], told["value"], told["offset"]) == ("\\xff", None, None)


def logged(value: bytes, *, offset: int, key: bytes = b"d1", timestamp: int = 5) -> Logged:
    return Logged(TP("t", 0), offset, timestamp, key, value, cast(Any, None))


def test_an_anomaly_explains_the_reading_that_it_names_and_no_other() -> None:
    read = evidence("device_anomalies").read
    found = logged(result(FOUND), offset=0)
    match = read(found, logged(b"{}", offset=7))
    assert isinstance(match, Match)
    assert match.decision == "it is an anomaly (deviation, jump): mean 20, deviation 0.333333"
    assert read(found, logged(b"{}", offset=8)) is None
    assert read(found, logged(b"{}", offset=7, key=b"d2")) is None
