"""The web views of real workers on a real broker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka import Producer
from worker import Worker, wait_until

PARTITIONS = 4
EVENT_TIME = 1_700_000_000_000
KEYS = [f"user{number}" for number in range(1000)]
ODD_KEYS = ["Zoë", "a b", "a/b", "100%", "1+1=2", "{key}", '"alice"', "日本", "?x#y", "%2F"]
LIBRDKAFKA_KEYS = [f"crc{number}" for number in range(100)]


def profile(key: str) -> dict[str, Any]:
    return {"user_id": key, "name": f"name of {key}"}


def row(key: str) -> str:
    return f"/table/user_profiles/{quote(key, safe='')}/"


def owner_of(worker: Worker, key: str) -> str:
    owner: str = worker.get(f"/router/user_profiles/{quote(key, safe='')}/").json()
    return owner


class Stream(contextlib.ExitStack):
    """One app's topics on the broker, and the workers that run the app; they end with the `with`."""

    def __init__(self, bootstrap: str, directory: Path) -> None:
        super().__init__()
        self.name = f"web-{uuid.uuid4().hex[:8]}"
        self.bootstrap, self.directory = bootstrap, directory
        self.started = 0

    def start(self, **settings: Any) -> Worker:
        self.started += 1
        worker = Worker(
            self.directory / f"worker{self.started}",
            **{
                "broker": self.bootstrap,
                "id": self.name,
                "topic_prefix": f"{self.name}-",
                "partitions": PARTITIONS,
                "profile_ttl": 0,
                "session_timeout": 30,
                **settings,
            },
        )
        return self.enter_context(worker)

    def start_two(self, **settings: Any) -> tuple[Worker, Worker]:
        """Start two workers and wait until they share the partitions."""
        first = self.start(**settings).wait_ready()
        second = self.start(**settings).wait_ready()
        topic = f"{self.name}-user_profiles"

        def shared() -> bool:
            assigned = [set(worker.assigned().get(topic, ())) for worker in (first, second)]
            return all(assigned) and len(assigned[0] | assigned[1]) == PARTITIONS

        wait_until(shared, "both workers have partitions")
        return first.wait_ready(), second.wait_ready()

    def produce(self, keys: list[str], partitioner: str = "murmur2_random") -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": partitioner})
        for key in keys:
            value = json.dumps(profile(key))
            producer.produce(f"{self.name}-user_profiles", key=key, value=value, timestamp=EVENT_TIME)
        assert producer.flush(60) == 0


@pytest.fixture
def stream(kafka: Any, tmp_path: Path) -> Iterator[Stream]:
    with Stream(kafka.bootstrap, tmp_path) as stream:
        yield stream


@pytest.fixture(scope="module")
def two(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Worker]]:
    """Two workers that share a table with all the keys, for the tests that only look."""
    with Stream(kafka.bootstrap, tmp_path_factory.mktemp("two")) as stream:
        first, second = stream.start_two()
        stream.produce([*KEYS, *ODD_KEYS])
        stream.produce(LIBRDKAFKA_KEYS, partitioner="consistent_random")
        for key in [*KEYS, *ODD_KEYS, *LIBRDKAFKA_KEYS]:
            wait_until(lambda key=key: first.answers(row(key)), f"the profile of {key} is in the table")
        yield first, second


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "application/json"),
        ("/assignment/", "application/json"),
        ("/graph/", "text/plain"),
        ("/table/", "application/json"),
        ("/table/user_profiles/", "application/json"),
        ("/table/user_profiles/user1/", "application/json"),
        ("/joins/", "application/json"),
        ("/joins/user_clicks-user_profiles-join/", "application/json"),
        ("/router/", "application/json"),
        ("/router/topics", "application/json"),
        ("/router/user_profiles/", "application/json"),
        ("/router/user_profiles/user1/", "application/json"),
        ("/performance/", "application/json"),
        ("/metrics", "text/plain"),
        ("/health", "application/json"),
        ("/health/ready", "application/json"),
        ("/health/live", "application/json"),
    ],
)
def test_each_view_answers_on_each_worker(two: tuple[Worker, Worker], path: str, content_type: str) -> None:
    for worker in two:
        response = worker.get(path)
        assert response.status == 200, response.body
        assert response.headers["Content-Type"].startswith(content_type)
        if content_type == "application/json":
            response.json()


def test_1000_keys_are_answered_through_either_worker(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        assert {key: worker.get(row(key)).json() for key in KEYS} == {key: profile(key) for key in KEYS}
    assert {owner_of(two[0], key) for key in KEYS} == {worker.url for worker in two}


def test_keys_with_characters_that_mean_something_in_urls_are_answered(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        assert [worker.get(row(key)).json() for key in ODD_KEYS] == [profile(key) for key in ODD_KEYS]


def test_keys_that_librdkafka_partitioned_in_its_own_way_are_answered(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        answers = [worker.get(row(key)).json() for key in LIBRDKAFKA_KEYS]
        assert answers == [profile(key) for key in LIBRDKAFKA_KEYS]


def test_a_row_has_its_event_time_in_a_header_from_either_worker(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        assert worker.get(row("user1")).headers["X-Event-Time"] == str(EVENT_TIME)


def test_an_unknown_key_is_not_found_through_either_worker(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        answers = [worker.get(row(f"nobody{number}")) for number in range(20)]
        assert {answer.status for answer in answers} == {404}
        assert answers[0].json() == {"error": "key not found", "key": "nobody0", "table": "user_profiles"}


@pytest.mark.parametrize("path", ["/table/none/", "/table/none/key/", "/router/none/", "/router/none/key/"])
def test_an_unknown_table_is_not_found(two: tuple[Worker, Worker], path: str) -> None:
    response = two[0].get(path)
    assert response.status == 404
    assert response.json() == {"error": "unknown table", "name": "none"}


def test_the_table_list_has_the_partitions_of_each_worker(two: tuple[Worker, Worker]) -> None:
    (one,), (other,) = (worker.get("/table/").json() for worker in two)
    assert one["name"] == other["name"] == "user_profiles"
    assert sorted(one["partitions"] + other["partitions"]) == list(range(PARTITIONS))
    assert one == two[0].get("/table/user_profiles/").json()


def test_health_has_what_each_worker_is_assigned(two: tuple[Worker, Worker]) -> None:
    health = two[0].get("/health").json()
    owned = {topic: list(partitions) for topic, partitions in two[0].assigned().items()}
    assert health == {
        "worker": two[0].url,
        "member": f"{two[0].app_id}-{socket.gethostname()}-{two[0].port}",
        "live": True,
        "ready": True,
        "state": "ready",
        "assigned": owned,
        "problems": [],
    }


def test_a_hop_for_a_partition_that_is_elsewhere_is_not_sent_on(two: tuple[Worker, Worker]) -> None:
    here, other = two
    key = next(key for key in KEYS if owner_of(here, key) == other.url)
    assert here.get(row(key)).status == 200
    for partition in [*other.get("/table/user_profiles/").json()["partitions"], "nonsense"]:
        response = here.get(row(key), headers={"X-Streamapp-Partition": str(partition)})
        assert (response.status, response.json()["owner"]) == (503, here.url)


def test_the_views_listen_on_127_0_0_1_only(two: tuple[Worker, Worker]) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", two[0].port), timeout=10)


def test_metrics_have_the_names_of_faust_and_the_process(two: tuple[Worker, Worker]) -> None:
    metrics = two[0].get("/metrics").body.decode()
    assert "\nfaust_messages_received_total " in metrics
    assert "\nprocess_cpu_seconds_total " in metrics


@pytest.mark.parametrize("gone", [signal.SIGKILL, signal.SIGSTOP])
def test_keys_of_an_owner_that_is_down_are_unavailable_with_its_name(stream: Stream, gone: int) -> None:
    stays, goes = stream.start_two()
    stream.produce(KEYS[:40])
    for key in KEYS[:40]:
        wait_until(lambda key=key: stays.answers(row(key)), f"the profile of {key} is in the table")
    owners = {key: owner_of(stays, key) for key in KEYS[:40]}
    lost = next(key for key, owner in owners.items() if owner == goes.url)
    kept = next(key for key, owner in owners.items() if owner == stays.url)
    os.kill(goes.pid, gone)
    response = stays.get(row(lost))
    assert (response.status, response.json()["owner"]) == (503, goes.url)
    assert stays.get(row(kept)).json() == profile(kept)


def test_keys_of_a_worker_that_stopped_are_answered_by_the_one_that_took_over(stream: Stream) -> None:
    stays, goes = stream.start_two()
    stream.produce(KEYS[:40])
    for key in KEYS[:40]:
        wait_until(lambda key=key: stays.answers(row(key)), f"the profile of {key} is in the table")
    assert goes.terminate() == 0
    for key in KEYS[:40]:
        wait_until(lambda key=key: stays.answers(row(key)), f"the profile of {key} is answered again")
    assert {owner_of(stays, key) for key in KEYS[:40]} == {stays.url}


def test_workers_that_go_by_the_same_url_say_so_instead_of_not_found(stream: Stream) -> None:
    first = stream.start().wait_ready()
    stream.start(web_port=first.port, web_bind="127.0.0.2", web_host="127.0.0.1", instance_id="second")

    def shared() -> bool:
        tables = first.answers("/table/")
        return tables is not None and len(tables.json()[0]["partitions"]) < PARTITIONS

    wait_until(shared, "the second worker has partitions")
    stream.produce(KEYS[:40])

    def settled() -> bool:
        answers = [first.get(row(key)) for key in KEYS[:40]]
        assert {answer.status for answer in answers} <= {200, 404, 503}
        return {answer.status for answer in answers} == {200, 503}

    wait_until(settled, "each key is answered, or said to be elsewhere")
    lost = next(answer for key in KEYS[:40] if (answer := first.get(row(key))).status == 503)
    assert "STREAMAPP_WEB_HOST" in lost.json()["error"]


def test_a_worker_says_unavailable_until_it_has_recovered_and_never_not_found(stream: Stream) -> None:
    first = stream.start(store="memory://").wait_ready()
    # So many that the recovery takes longer than the look-ups below, which come one after the other.
    keys = [f"user{number}" for number in range(100_000)]
    stream.produce(keys)
    wait_until(lambda: first.get("/table/user_profiles/").json()["rows"] == len(keys), "all profiles")
    assert first.terminate() == 0

    again = stream.start(store="memory://")
    wait_until(lambda: again.answers("/health/live"), "the worker listens")

    def recovered() -> bool:
        answers = [again.get(path) for path in (row(keys[-1]), "/table/", "/table/user_profiles/")]
        for answer in answers:
            assert answer.status in {200, 503}, answer
            assert answer.status == 200 or answer.json()["owner"] == again.url
        return all(answer.status == 200 for answer in answers)

    wait_until(recovered, "the views answer")
    assert again.get(row(keys[-1])).json() == profile(keys[-1])


def test_health_is_live_before_it_is_ready(stream: Stream) -> None:
    worker = stream.start()
    live = wait_until(lambda: worker.answers("/health/live"), "the worker lives").json()
    assert live["live"]
    assert worker.wait_ready().get("/health").json()["state"] == "ready"
