"""A worker says why a record joined, or did not: over HTTP, and `streamapp explain` in words."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joined import TOPICS, produce, runs
from joining_app import KINDS
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

from streamapp.kafka.partitioner import partition_of

CLICKS = "user_clicks-user_profiles-join"


def asked(worker: Worker, join: str, *place: object) -> dict[str, Any]:
    """Ask about a record that the join takes for one of its sides."""
    (answer,) = all_asked(worker, join, *place)
    return answer


def all_asked(worker: Worker, join: str, *place: object) -> list[dict[str, Any]]:
    """Ask about a record that the join takes for several of its sides."""
    response = worker.get(f"/joins/{join}/{'/'.join(map(str, place))}/")
    assert response.status == 200, response.body
    return list(response.json())


def command(*arguments: str, prefix: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streamapp", "explain", *arguments],
        env={**os.environ, "STREAMAPP_TOPIC_PREFIX": prefix},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_read(topics: Topics, worker: Worker, *names: str) -> None:
    worker.wait_ready()
    for topic in names:
        wait_until(lambda topic=topic: topics.committed(topic) == topics.end(topic), f"{topic} is read to its end")


@pytest.fixture(scope="module")
def clicks(kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Topics, Worker]]:
    """A worker that has read some clicks, each of which says what is to become of it."""
    topics = Topics(kafka.bootstrap, "explain", partitions=1)
    topics.create("user_clicks", "user_profiles")
    for user, at in (("ann", 0), ("bob", 5_000)):
        topics.send("user_profiles", user, {"user_id": user, "name": user}, at=at)
    for user, at, name in (("ann", 1_000, "joined"), ("bob", 2_000, "early"), ("ann", 400_000, "old")):
        topics.send("user_clicks", user, {"click_id": name, "user_id": user, "url": "/"}, at=at)
    topics.send("user_clicks", "ann", {"click_id": "bad"}, at=3_000)
    topics.flush()
    with Worker(tmp_path_factory.mktemp("clicks"), **topics.settings) as worker:
        wait_read(topics, worker, "user_clicks", "user_profiles")
        yield topics, worker


@pytest.mark.parametrize(
    ("offset", "verdict", "because"),
    [
        (0, "matched", "it joined"),
        (1, "unmatched", "what there is of its key is newer, and came after it"),
        (2, "expired", "the row of its key had expired"),
        (3, "refused", "missing_field: Object missing required field `user_id`"),
    ],
)
def test_a_click_is_explained_by_what_its_agent_wrote_and_the_profiles(
    clicks: tuple[Topics, Worker], offset: int, verdict: str, because: str
) -> None:
    topics, worker = clicks
    answer = asked(worker, CLICKS, f"{topics.prefix}user_clicks", 0, offset)
    assert answer["verdict"] == verdict
    assert because in answer["because"]


def test_a_profile_too_old_for_a_click_is_named_though_the_table_has_it_no_more(
    clicks: tuple[Topics, Worker],
) -> None:
    topics, worker = clicks
    (near,) = asked(worker, CLICKS, "user_clicks", 0, 2)["candidates"]
    assert near["place"] == {"topic": f"{topics.prefix}user_profiles", "partition": 0, "offset": 0}
    assert near["outside_by_ms"] == 300_000 - 400_000


def test_the_command_says_it_in_words_for_an_offset_or_a_key_and_a_time(clicks: tuple[Topics, Worker]) -> None:
    topics, worker = clicks
    by_offset = command("user_clicks", "0", "1", "--worker", worker.url, prefix=topics.prefix)
    by_time = command(
        f"{topics.prefix}user_clicks", "--key", "bob", "--time", str(topics.now + 2_000), "--worker", worker.url
    )
    assert (by_offset.returncode, by_offset.stderr) == (0, "")
    assert by_time.stdout == by_offset.stdout
    first, second, *_, last = by_offset.stdout.splitlines()
    assert first.startswith(f"{CLICKS}: {topics.prefix}user_clicks[0]@1, key 'bob', ")
    assert second.startswith("  unmatched: nothing matched it while something could: ")
    assert last == f"  as {topics.prefix}unmatched_clicks[0]@0 says"


def test_the_command_gives_json(clicks: tuple[Topics, Worker]) -> None:
    topics, worker = clicks
    done = command("user_clicks", "0", "0", "--join", CLICKS, "--json", "--worker", worker.url, prefix=topics.prefix)
    assert json.loads(done.stdout) == all_asked(worker, CLICKS, "user_clicks", 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user_clicks", "0", "99"], "user_clicks[0] has no offset 99: it has offsets 0 to 3"),
        (["user_clicks", "7", "0"], "unknown partition"),
        (["clicks", "0", "0"], "no join reads clicks; there are "),
        (["user_clicks", "0", "0", "--join", "none"], f"there is no join 'none', but {CLICKS}"),
        (["user_clicks", "--key", "ann", "--time", "2020-01-01"], "there is no record of key 'ann' and 2020-01-01T00"),
        (["user_clicks", "0", "0", "--worker", "http://127.0.0.1:1"], "no worker answers at http://127.0.0.1:1"),
    ],
)
def test_a_question_without_an_answer_ends_the_command_with_one_line(
    clicks: tuple[Topics, Worker], arguments: list[str], message: str
) -> None:
    topics, worker = clicks
    done = command("--worker", worker.url, *arguments, prefix=topics.prefix)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("streamapp explain: ")
    assert message in line


@pytest.mark.parametrize("arguments", [[], ["0"], ["0", "1", "--key", "ann"], ["--key", "ann"]])
def test_the_command_wants_a_record(arguments: list[str]) -> None:
    done = command("user_clicks", *arguments)
    assert done.returncode == 2
    assert "say which record: TOPIC PARTITION OFFSET, or TOPIC --key KEY --time TIME" in done.stderr


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "explain", partitions=2)
    topics.create(*TOPICS)
    return topics


def test_each_kind_of_join_says_of_its_records_what_the_library_says_of_them(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", ",".join(KINDS))
    produce(topics, 300)
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_read(topics, worker, *TOPICS)
        for join in KINDS:
            for partition, run in enumerate(runs(topics, join, tmp_path)):
                for topic, records in run.records.items():
                    for record in records[:: max(1, len(records) // 3)]:
                        answers = all_asked(worker, join, topic, partition, record.offset)
                        assert [answer["verdict"] for answer in answers] == run.verdicts(topic, record), record


def test_a_record_waits_until_its_window_is_over_and_then_it_is_told_what_was_near(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "pairs")
    topics.send("purchases", "k", {}, at=1_000, partition=0)
    topics.send("views", "k", {}, at=1_250, partition=0)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_read(topics, worker, "purchases", "views")
        answer = asked(worker, "pairs", "purchases", 0, 0)
        assert (answer["verdict"], answer["until"]) == ("pending", topics.now + 1_000 + 100 + 200 + 1)
        assert [near["outside_by_ms"] for near in answer["candidates"]] == [150]

        topics.send("views", "other", {}, at=9_000, partition=0)
        topics.send("views", "k", {}, at=1_050, partition=0)
        topics.flush()
        wait_read(topics, worker, "views")
        answer = asked(worker, "pairs", "purchases", 0, 0)
        assert answer["verdict"] == "unmatched"
        assert [(near["outside_by_ms"], near["note"]) for near in answer["candidates"]] == [
            (0, f"itself late by {9_000 - 200 - 1_050:,} ms"),
            (150, ""),
        ]
        late = asked(worker, "pairs", "views", 0, 2)
        assert (late["verdict"], late["late_by_ms"]) == ("late", 9_000 - 200 - 1_050)


def test_what_another_partitioner_put_elsewhere_is_found_there(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "pairs")
    key = next(key for key in map(str, range(99)) if partition_of(key.encode(), 2) != zlib.crc32(key.encode()) % 2)
    there = zlib.crc32(key.encode()) % 2
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        worker.wait_ready()  # it would not start with these topics
        topics.send("purchases", key, {}, at=1_000, partition=1 - there)
        topics.send("views", key, {}, at=1_000, partition=there)
        topics.send("views", "other", {}, at=9_000, partition=1 - there)
        topics.flush()
        wait_read(topics, worker, "purchases", "views")
        answer = asked(worker, "pairs", "purchases", 1 - there, 0)
    assert answer["verdict"] == "unmatched"
    assert answer["because"].endswith(
        f"{topics.prefix}views[{there}]@0 is in the window, but in another partition, where it is not looked for"
    )


def test_a_record_that_the_join_has_not_come_to_is_told_as_unread(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", "user_profiles")
    for number in range(3):
        topics.send("user_clicks", "u", {"click_id": str(number), "user_id": "u", "url": "/"}, partition=0)
    topics.flush()
    # Clicks wait for profiles, of which there are none.
    with Worker(tmp_path, max_idle=600, **topics.settings) as worker:
        worker.wait_ready()
        answer = asked(worker, CLICKS, "user_clicks", 0, 2)
    assert answer["verdict"] == "unread"
    assert answer["because"] == "the join has not read it: 2 records of its partition are before it"


def test_any_worker_answers_for_the_partitions_of_all(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", "user_profiles")
    for number in range(100):
        topics.send("user_profiles", f"u{number}", {"user_id": f"u{number}", "name": ""})
    topics.flush()
    ports = [free_port(), free_port()]
    with (
        Worker(tmp_path / "one", web_port=ports[0], **topics.settings) as one,
        Worker(tmp_path / "two", web_port=ports[1], **topics.settings) as two,
    ):
        workers = (one.wait_ready(), two.wait_ready())

        def shared() -> bool:
            return all(len(each.assigned().get(f"{topics.prefix}user_profiles", ())) == 1 for each in workers)

        wait_until(shared, "both workers have a partition")
        wait_read(topics, one, "user_profiles")
        for worker, partition in itertools.product(workers, range(2)):
            wait_until(lambda: one.answers("/health/ready") and two.answers("/health/ready"), "both are ready")
            assert asked(worker, CLICKS, "user_profiles", partition, 0)["verdict"] == "applied"


@pytest.mark.parametrize(
    ("join", "joined"),
    [
        ("pairs", ("purchases", "views")),
        ("enriched", ("purchases", "customers")),
        ("n-way", TOPICS),
        ("foreign-key", ("purchases", "customers")),
    ],
)
def test_results_name_what_they_are_made_of_when_asked_to(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, join: str, joined: tuple[str, ...]
) -> None:
    monkeypatch.setenv("JOINS", join)
    monkeypatch.setenv("LINEAGE", "1")
    produce(topics, 100)
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_read(topics, worker, *joined)
        wait_until(lambda: topics.end(f"{join}.joined") > 20, "there are results")
    records = {
        (topics.prefix + name, message.partition(), message.offset()): message.value()
        for name in TOPICS
        for message in topics.read(name)
    }
    whole = 0
    for message in topics.read(f"{join}.joined"):
        headers = dict(message.headers() or [])
        if message.value() is None:
            continue
        value = json.loads(message.value())
        sides = (
            {"record": value["record"], "row1": value["rows"][0], "row2": value["rows"][1]}
            if "rows" in value
            else value
        )
        for side, made_of in sides.items():
            if made_of is None:
                assert f"{side}_offset" not in headers
            else:
                place = (headers[f"{side}_{part}"].decode() for part in ("topic", "partition", "offset"))
                topic, partition, offset = place
                assert json.loads(records[topic, int(partition), int(offset)]) == made_of
        whole += None not in sides.values()
    assert whole


def test_without_side_outputs_lineage_tells_what_joined_and_the_rest_is_open(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "pairs")
    monkeypatch.setenv("LINEAGE", "1")
    for key, topic in (("k", "purchases"), ("k", "views"), ("alone", "purchases")):
        topics.send(topic, key, {}, at=1_000, partition=0)
    topics.send("views", "other", {}, at=9_000, partition=0)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_read(topics, worker, "purchases", "views")
        joined, alone = (asked(worker, "pairs", "purchases", 0, offset) for offset in (0, 1))
    assert (joined["verdict"], joined["evidence"]["topic"]) == ("matched", f"{topics.prefix}pairs.joined")
    assert [near["place"]["offset"] for near in joined["candidates"]] == [0]
    assert (alone["verdict"], alone["evidence"]) == ("over", None)
    assert (
        "nothing tells how that ended: a side output would; name a topic for it (late=, unmatched=)" in alone["because"]
    )


def test_foreign_key_and_global_tables_are_explained_on_their_sides(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINS", "foreign-key,global")
    topics.send("customers", "k1", {"name": "ann"}, partition=1)
    topics.flush()
    for key, customer in (("a", 1), ("b", 2), ("c", 11)):
        topics.send("purchases", key, {"purchases": customer}, at=1, partition=0)
    topics.flush()
    with Worker(tmp_path, app="joining_app", **topics.settings) as worker:
        wait_read(topics, worker, "purchases", "customers")
        wait_until(lambda: topics.end("global.joined") == 3, "the global table is joined")

        def settled() -> list[str]:
            verdicts = [asked(worker, "foreign-key", "purchases", 0, offset)["verdict"] for offset in range(3)]
            return [] if "pending" in verdicts else verdicts

        assert wait_until(settled, "the right side has answered") == ["matched", "unmatched", "null_key"]
        right = asked(worker, "foreign-key-right", "customers", 1, 0)
        assert (right["verdict"], [near["key"] for near in right["candidates"]]) == ("matched", ["a"])
        looked_up = [asked(worker, "global", "purchases", 0, offset) for offset in range(3)]
        assert [answer["verdict"] for answer in looked_up] == ["matched", "unmatched", "null_key"]
        assert [near["key"] for near in looked_up[0]["candidates"]] == ["k1"]
