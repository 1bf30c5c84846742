"""What a worker checks before it starts, and what it says in one line if it cannot."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

from streamapp.kafka.admin import Cluster
from streamapp.settings import Settings


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "start", partitions=3)


def partitions(topics: Topics) -> dict[str, int]:
    known = AdminClient({"bootstrap.servers": topics.bootstrap}).list_topics(timeout=30).topics
    return {
        name.removeprefix(topics.prefix): len(topic.partitions) for name, topic in known.items() if topics.id in name
    }


def complaint(directory: Path, **settings: Any) -> str:
    """Start a worker that cannot start, and give its last line."""
    with Worker(directory, **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        assert "Traceback" not in worker.log
        return worker.log.strip().splitlines()[-1]


def test_missing_topics_are_made_with_as_many_partitions_as_are_set(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
    found = partitions(topics)
    for name in ("user_profiles", "user_clicks", "joined_data", "unmatched_clicks", "dead_letters"):
        assert found[name] == 3
    assert found[f"{topics.id}-user_profiles-changelog"] == 3


def test_topics_that_exist_keep_their_partitions_and_the_others_follow(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", partitions=5)
    topics.create("dead_letters", partitions=2)
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        topics.profiles([1])
        topics.clicks([1], users=2)
        topics.send("user_clicks", None, b"bad")
        topics.flush()
        wait_until(lambda: topics.end("joined_data") == 1, "the click joins")
        wait_until(lambda: topics.end("dead_letters") == 1, "the bad click is a dead letter")
    found = partitions(topics)
    assert (found["user_clicks"], found["dead_letters"]) == (5, 2)
    for name in ("user_profiles", "joined_data", "unmatched_clicks", f"{topics.id}-user_profiles-changelog"):
        assert found[name] == 5


def test_a_topic_that_the_broker_has_not_heard_of_yet_counts_as_it_was_made(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.create("user_clicks", partitions=5)
    clicks, profiles = (f"{topics.prefix}{name}" for name in ("user_clicks", "user_profiles"))
    cluster = Cluster(Settings(broker=topics.bootstrap))
    tell = cluster.partitions
    looks = iter([{clicks}])
    monkeypatch.setattr(cluster, "partitions", lambda: {k: n for k, n in tell().items() if k not in next(looks, ())})
    assert cluster.ensure([clicks, profiles]) == {clicks: 5, profiles: 5}


def test_a_misspelt_topic_of_a_join_is_not_made_and_the_likely_name_is_told(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "customers")
    command = ["join", "--left", "ordres", "--right", "customers", "--on", "id", "--to", "joined"]
    line = complaint(tmp_path, command=command, **topics.settings).replace(topics.prefix, "")
    assert line.startswith("streamapp: there is no topic ordres (did you mean orders?) at ")
    assert "STREAMAPP_CREATE=missing, or --create of streamapp join and window" in line
    assert partitions(topics).keys() == {"orders", "customers"}
    with Worker(tmp_path, command=[*command, "--create"], **topics.settings) as worker:
        worker.wait_ready()
        assert f"made the topic {topics.prefix}ordres, which was not there" in worker.log
    assert partitions(topics).keys() >= {"orders", "customers", "ordres", "joined", "dead_letters"}


def test_a_topic_that_an_app_of_ones_own_joins_is_not_made_either_unless_asked_for(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("purchases", "customers")
    line = complaint(tmp_path, app="joining_app", **topics.settings)
    assert line.startswith(f"streamapp: there is no topic {topics.prefix}views ")
    with Worker(tmp_path, app="joining_app", create="missing", **topics.settings) as worker:
        worker.wait_ready()


def test_with_never_the_click_apps_own_topics_are_not_made(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles")
    line = complaint(tmp_path, create="never", **topics.settings).replace(topics.prefix, "")
    assert line.startswith("streamapp: there is no topic user_clicks ")


def test_a_join_that_sends_its_results_to_what_it_reads_stops_the_start(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESULTS", "purchases")
    line = complaint(tmp_path, app="joining_app", **topics.settings).replace(topics.prefix, "")
    assert line.startswith("streamapp: the join pairs reads purchases and sends to it")


def test_joined_topics_with_different_numbers_of_partitions_stop_the_start(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_profiles", partitions=3)
    topics.create("user_clicks", partitions=4)
    line = complaint(tmp_path, **topics.settings)
    assert line.startswith("streamapp: topics that are joined need equally many partitions")
    assert f"{topics.prefix}user_profiles has 3" in line
    assert f"{topics.prefix}user_clicks has 4" in line


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"no_such_thing": 1}, "STREAMAPP_NO_SUCH_THING"),
        ({"join": "cross"}, "STREAMAPP_JOIN=cross"),
        ({"profile_ttl": "soon"}, "STREAMAPP_PROFILE_TTL=soon"),
        ({"store": "paper://"}, "STREAMAPP_STORE=paper://"),
        ({"processing_guarantee": "perhaps"}, "STREAMAPP_PROCESSING_GUARANTEE=perhaps"),
    ],
)
def test_a_setting_that_cannot_be_used_stops_the_start_with_a_line_that_names_it(
    tmp_path: Path, settings: dict[str, Any], named: str
) -> None:
    assert named in complaint(tmp_path, **settings)


def test_a_broker_that_is_not_there_stops_the_start_with_a_line_that_names_it(tmp_path: Path) -> None:
    port = free_port()
    assert f"cannot reach Kafka at 127.0.0.1:{port}" in complaint(tmp_path, broker=f"127.0.0.1:{port}")


def test_a_session_timeout_that_the_broker_refuses_stops_the_worker(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, session_timeout=3600, **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker stops")
        assert worker.exit_code == 1
        line = worker.log.strip().splitlines()[-1]
        assert line.startswith("streamapp: STREAMAPP_SESSION_TIMEOUT=3600: the broker takes no session of this length")
        assert "Traceback" not in worker.log


def test_a_taken_web_port_stops_the_start_before_the_broker_is_asked_anything(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        line = complaint(tmp_path, web_port=port, broker=f"127.0.0.1:{free_port()}")
    assert line.startswith(f"streamapp: STREAMAPP_WEB_PORT={port} at STREAMAPP_WEB_BIND=127.0.0.1 is taken")


@pytest.mark.parametrize("command", [(), ("kafka",)], ids=["worker", "kafka"])
def test_a_data_directory_that_cannot_be_written_stops_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    line = complaint(tmp_path, datadir=file / "data", command=command)
    assert line.startswith("streamapp")
    assert str(file / "data") in line
    assert line.endswith("Not a directory")
