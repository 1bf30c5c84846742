"""`streamapp advise` finds the lateness that was planted, and what each grace would keep and cost."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from asked import answer, asked
from joined import expected, produce
from topics import Topics

HOUR = 3_600_000
#: Of the records of a partition, one each 10 ms, so many are behind by so much.
RECORDS, LATE, BEHIND, WORST = 1_000, 9, 500, 5_000


def an_hour_ago(kafka: Any, name: str, partitions: int = 1) -> Topics:
    topics = Topics(kafka.bootstrap, name, partitions=partitions)
    topics.now -= topics.now % 1_000 + HOUR
    return topics


def iso(time: int) -> str:
    return datetime.datetime.fromtimestamp(time / 1_000, datetime.UTC).isoformat(timespec="milliseconds")


@pytest.fixture(scope="module")
def views(kafka) -> Topics:
    """Two partitions: of the first one ten records are late, of the second one none."""
    topics = an_hour_ago(kafka, "advise", partitions=2)
    topics.create("views")
    clock = 0
    for number in range(RECORDS):
        planted = BEHIND if 500 <= number < 500 + LATE else WORST if number == 900 else 0
        clock = clock if planted else number * 10
        topics.send("views", "k0", {"n": number}, at=clock - planted, partition=0)
        topics.send("views", "k1", {"n": number}, at=number * 10, partition=1)
    topics.flush()
    return topics


def told(part: dict[str, Any]) -> dict[str, Any]:
    late = part["lateness"]
    return {"records": late["records"], "behind": late["behind"], **late["at_most_ms"]}


def test_the_lateness_of_each_partition_and_of_all_is_what_was_planted(views: Topics) -> None:
    (topic,) = answer(views, "advise", "views")["topics"]
    first, second = topic["partitions"]
    exact = {"records": RECORDS, "behind": LATE + 1, "99 %": 0, "99.99 %": WORST, "100 %": WORST}
    assert {**told(first), "99.9 %": 0} == {**exact, "99.9 %": 0}
    assert BEHIND <= told(first)["99.9 %"] <= BEHIND * 1.01
    assert told(second) == {"records": RECORDS, "behind": 0, "99 %": 0, "99.9 %": 0, "99.99 %": 0, "100 %": 0}
    assert told(topic)["records"] == 2 * RECORDS
    assert (first["since"], first["until"]) == (views.now, views.now + 9_990)
    assert sum(bar["records"] for bar in topic["lateness"]["histogram"]) == 2 * RECORDS


@pytest.mark.parametrize(("grace", "late"), [("0ms", LATE + 1), ("499ms", LATE + 1), ("500ms", 1), ("5s", 0)])
def test_the_records_that_a_grace_would_lose_are_counted(views: Topics, grace: str, late: int) -> None:
    (join,) = answer(views, "advise", "views", "--grace", grace)["joins"]
    assert join["present"]["late"] == late


def test_what_a_grace_costs_is_how_long_it_waits_and_what_comes_meanwhile(views: Topics) -> None:
    (join,) = answer(views, "advise", "views")["joins"]
    rows = {row["share"]: row for row in join["graces"]}
    assert (rows["100 %"]["grace_ms"], rows["100 %"]["late"]) == (WORST, 0)
    (wait,), (state,) = rows["100 %"]["waits"], rows["100 %"]["state"]
    assert wait["ms"] == WORST
    # One record each 10 ms in each of two partitions, of 2 and some 10 bytes.
    assert state["rows"] == pytest.approx(2 * WORST / 10, rel=0.02)
    assert state["rows"] <= state["most_rows"] <= state["rows"] + 12
    assert state["bytes"] / state["rows"] == pytest.approx(25 + 2 + len('{"n": 500}'), abs=1)


def test_a_stretch_is_a_time_an_offset_or_the_newest_records(views: Topics) -> None:
    since, until = str(views.now + 6_000), str(views.now + 7_000)
    (topic,) = answer(views, "advise", "views", "--from", since, "--to", until)["topics"]
    assert [part["lateness"]["records"] for part in topic["partitions"]] == [100, 100]
    (topic,) = answer(views, "advise", "views", "--offset", "895", "--end-offset", "905", "-p", "0")["topics"]
    assert (told(topic)["records"], told(topic)["behind"], told(topic)["100 %"]) == (10, 1, WORST)
    (topic,) = answer(views, "advise", "views", "-n", "100")["topics"]
    assert told(topic)["records"] == 100


def test_it_is_shown_as_a_histogram_and_a_table(views: Topics) -> None:
    done = asked(views, "advise", "views", "--grace", "1s")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    (nothing,) = [line for line in lines if line.startswith("  nothing ")]
    assert nothing.split()[1:4] == ["1,990", "99.5", "%"]
    assert "█" * 40 in nothing
    (now,) = [line for line in lines if "(now)" in line]
    assert now.split()[:6] == ["1,000", "ms", "99.95", "%", "(now)", "1"]
    assert lines[-1].startswith("read 2,000 records in ")


def test_one_record_that_was_ahead_is_named_with_those_that_it_made_late(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-ahead")
    topics.create("fast", "future", config={"message.timestamp.after.max.ms": str(10 * HOUR)})
    for number in range(200):
        topics.send("fast", "k", {}, at=600_000 if number == 100 else number * 10)
        topics.send("future", "k", {}, at=3 * HOUR if number == 100 else number * 10)
    topics.flush()
    fast, future = (topic["lateness"] for topic in answer(topics, "advise", "fast", "future")["topics"])
    (early,) = fast["early"]
    assert (early["offset"], early["timestamp"], early["behind"]) == (100, topics.now + 600_000, 99)
    assert (early["made_ms"], early["behind_ms"]) == (600_000 - 1_010, 600_000 - 1_010)
    assert (future["future"], future["beyond"], future["behind"], future["early"]) == (1, 1, 0, [])
    assert (future["furthest"]["offset"], future["furthest"]["timestamp"]) == (100, topics.now + 3 * HOUR)


def test_an_app_s_join_is_told_as_many_late_records_as_it_finds_late(kafka, tmp_path: Path) -> None:
    topics = an_hour_ago(kafka, "advise-app", partitions=2)
    topics.create("purchases", "views", "customers")
    produce(topics, 400)
    names = ["pairs", "as-of", "versioned", "windows"]
    joins = answer(topics, "-A", "joining_app", "advise", JOINS=",".join(names))["joins"]
    assert [join["name"] for join in joins] == names
    for join in joins:
        found = expected(topics, join["name"], tmp_path / join["name"])
        late = sum(side[0] == b"late" for side in found.side.elements())
        assert join["present"]["late"] == late > 0
    assert topics.committed("purchases") == 0


def test_of_other_peoples_data_the_event_time_is_a_field_and_bad_ones_are_named(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-field")
    topics.create("events")
    created: list[Any] = [iso(topics.now + number * 100) for number in range(RECORDS)]
    for number in range(300, 310):  # of such a time two seconds ago, by the clock of the one before
        created[number] = iso(topics.now + number * 100 - 2_000)
    created[500] = iso(topics.now + 500 * 100 + 2 * HOUR)
    created[600], created[601] = "yesterday", None
    for number, time in enumerate(created):
        value = {"payload": {"id": number, "text": "x" * 1_000}, "meta": {"created": time}}
        if number == 700:
            del value["meta"]
        topics.send("events", None, value, at=number * 100)
    topics.flush()
    advice = answer(topics, "advise", "events", "--timestamp", "meta.created")
    (topic,) = advice["topics"]
    late = topic["lateness"]
    assert (late["records"], late["behind"], late["at_most_ms"]["100 %"]) == (RECORDS - 3, 10, 1_900)
    assert (late["future"], late["beyond"], late["furthest"]["offset"]) == (1, 1, 500)
    assert topic["bytes"] > RECORDS * 1_000
    times, fields = advice["bad"]
    assert (times["kind"], times["records"], times["offset"]) == ("no event time in the field", 2, 600)
    assert '"yesterday" is none' in times["example"]
    assert (fields["kind"], fields["records"], fields["offset"]) == ("no field with the event time", 1, 700)


def test_the_side_that_comes_later_is_late_by_that_if_it_is_known_when_it_came(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-skew")
    topics.create("purchases", "views")
    for number in range(500):
        at = topics.now + number * 100
        topics.send("views", f"k{number}", {"at": at}, at=number * 100)
        topics.send("purchases", f"k{number}", {"at": at}, at=number * 100 + 3_000)
    topics.flush()
    given = ("advise", "purchases", "views", "--before", "1s", "--after", "0")
    (live,) = answer(topics, *given, "--timestamp", "at")["joins"]
    sides = {name.rpartition(".")[2]: side["at_most_ms"] for name, side in live["sides"].items()}
    assert sides["views"]["100 %"] == 0
    assert 2_900 <= sides["purchases"]["99 %"] <= 3_000 * 1.01
    assert live["skew"]["right_ahead_ms"] == pytest.approx(3_000, abs=100)
    topics.create("returns")
    topics.send("returns", "k1", {"at": topics.now}, at=0)
    topics.flush()
    (three,) = answer(topics, "advise", "views", "returns", "purchases", "--timestamp", "at")["joins"]
    assert (three["lateness"]["records"], three["skew"]) == (2 * 500 + 1, None)
    again = answer(topics, *given)
    assert again["joins"][0]["lateness"]["behind"] == 0
    assert any("live, the side that comes later" in note for note in again["notes"])


def test_a_silence_longer_than_the_idle_timeout_makes_late_what_comes_after_it(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-idle")
    topics.create("views")
    for at, time in ((0, 0), (100, 100), (60_100, 200), (60_200, 60_100)):
        topics.send("views", "k", {"at": topics.now + time}, at=at)
    topics.flush()
    given = ("advise", "views", "--timestamp", "at", "--grace", "1s")
    (still,) = answer(topics, *given)["joins"]
    (idle,) = answer(topics, *given, "--idle-timeout", "30s")["joins"]
    assert (still["present"]["late"], idle["present"]["late"]) == (0, 1)
    assert idle["lateness"]["at_most_ms"]["100 %"] == 60_000 + 100 - 200


def test_a_record_that_was_sent_once_more_is_not_taken_for_late(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-redriven")
    topics.create("views")
    for at, headers in ((0, None), (60_000, None), (10, [("streamapp-redriven", b"{}")])):
        topics.send("views", "k", {}, at=at, headers=headers)
    topics.flush()
    advice = answer(topics, "advise", "views")
    assert [(one["kind"], one["offset"]) for one in advice["bad"]] == [("redriven", 2)]
    assert [join["lateness"]["behind"] for join in advice["joins"]] == [0]


def test_how_far_partners_are_apart_says_what_each_window_would_have_matched(kafka) -> None:
    topics = an_hour_ago(kafka, "advise-pairs")
    topics.create("purchases", "views")
    for number in range(RECORDS):
        apart = 60_000 if number < 4 else 1_000
        if number < RECORDS - 1:
            topics.send("views", f"k{number}", {}, at=100_000 + number * 10 - apart)
        topics.send("purchases", f"k{number}", {}, at=100_000 + number * 10)
    topics.flush()
    (join,) = answer(topics, "advise", "purchases", "views", "--before", "10s", "--after", "0")["joins"]
    distances = join["distances"]
    assert (distances["left"], distances["with_partner"], distances["matched"]) == (RECORDS, RECORDS - 1, RECORDS - 5)
    assert (distances["with_earlier"], distances["with_later"]) == (RECORDS - 1, 0)
    before = {one["share"]: one["before_ms"] for one in distances["windows"]}
    assert 1_000 <= before["99 %"] <= 1_010
    assert (before["99.9 %"], before["100 %"]) == (60_000, 60_000)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["veiws"], 1, "there is no topic veiws at "),
        (["views", "-p", "7"], 1, "has no partition 7, but 0 to 1"),
        (["views", "--from", "now"], 1, "from now on there are no records yet"),
        (["views", "--from", "1d", "--to", "23h"], 1, "there are no records in this stretch"),
        (["views", "--before", "1s"], 2, "--before and --after are of two TOPICs, and go together"),
        (["views", "--unit", "ms"], 2, "--unit, --format and --schema are for --timestamp FIELD"),
        (["views", "--from", "1h", "--offset", "1"], 2, "--from and --offset exclude each other"),
        (["--join", "none"], 1, "there is no join 'none', but user_clicks-user_profiles-join"),
        (["--grace", "1s"], 2, "are for TOPICs: a join has its own"),
    ],
)
def test_what_cannot_be_measured_is_one_line(views: Topics, words: list[str], status: int, message: str) -> None:
    done = asked(views, "advise", *words)
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    assert message in line
