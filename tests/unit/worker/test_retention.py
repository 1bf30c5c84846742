"""Records that their topic deletes for their age, and how topics are configured so that it does not."""

from __future__ import annotations

import pytest

from streamapp.kafka.topic_configs import INTERNAL, input_config, older, output_config, retention_ms
from streamapp.settings import Settings, SettingsError
from streamapp.worker.retention import RetentionWatch, age

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_700_000_000_000


def watch() -> RetentionWatch:
    watch = RetentionWatch(Settings(), now=lambda: NOW_MS / 1000)
    watch.expect("results", 7 * DAY_MS)
    return watch


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_records_that_are_older_than_their_topic_keeps_them_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    retention, old = watch(), NOW_MS - 30 * DAY_MS
    retention.look("results", old, old)
    retention.look("results", old, old)
    (line,) = told(caplog)
    assert line.startswith("results keeps records for 7.0 days of their event time (retention.ms=604800000)")
    assert "of 2023-10-15, 30.0 days ago" in line
    assert "--entity-name results --add-config retention.ms=-1" in line


def test_an_old_record_among_newer_ones_is_as_safe_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    watch().look("results", NOW_MS - 30 * DAY_MS, NOW_MS - 1)
    watch().look("results", NOW_MS - 7 * DAY_MS, NOW_MS - 8 * DAY_MS)
    watch().look("results", None, None)
    watch().look("elsewhere", 1, 1)
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"retention.ms": "3600000", "cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}, HOUR_MS),
        ({"retention.ms": "3600000", "cleanup.policy": "compact,delete"}, HOUR_MS),
        ({"retention.ms": "3600000", "cleanup.policy": "compact"}, None),
        ({"retention.ms": "3600000", "message.timestamp.type": "LogAppendTime"}, None),
        ({"retention.ms": "-1", "cleanup.policy": "delete"}, None),
    ],
)
def test_event_times_count_where_the_topic_deletes_and_has_them(config: dict[str, str], kept: int | None) -> None:
    assert retention_ms(config) == kept


@pytest.mark.parametrize(("setting", "kept"), [("-1", "-1"), ("3600", "3600000"), ("broker", None)])
def test_topics_that_are_created_keep_what_the_setting_says(setting: str, kept: str | None) -> None:
    settings = Settings.from_environment({"STREAMAPP_RETENTION": setting})
    assert input_config(settings).get("retention.ms") == output_config(settings).get("retention.ms") == kept
    assert Settings().retention == -1


@pytest.mark.parametrize("setting", ["0", "-2", "soon"])
def test_a_retention_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"STREAMAPP_RETENTION=.*seconds.*-1 or broker"):
        Settings.from_environment({"STREAMAPP_RETENTION": setting})


def test_brokers_before_3_6_are_told_in_their_words_to_take_any_time() -> None:
    old = older(INTERNAL) or {}
    assert old["message.timestamp.difference.max.ms"] == str((1 << 63) - 1)
    assert not {"message.timestamp.before.max.ms", "message.timestamp.after.max.ms"} & old.keys()
    assert old["retention.ms"] == "-1"
    assert older(old) is None


@pytest.mark.parametrize(("ms", "text"), [(HOUR_MS, "1.0 hours"), (7 * DAY_MS, "7.0 days"), (DAY_MS, "24.0 hours")])
def test_ages_are_in_hours_or_days(ms: int, text: str) -> None:
    assert age(ms) == text
