"""Keys that URLs have trouble with, and numbers that are none: an answer or a 4xx in JSON, through any worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ports import needs_ipv6
from test_web import Stream, profile, row
from worker import Worker, wait_until

from streamapp.kafka.partitioner import partition_of

PARTITIONS = 4
#: Clients take the first two for parts of a path, and the last are longer than servers like.
KEYS = [".", "..", "a/../b", "x" * 9_000, "ü" * 60_000]
PROFILES = "/table/user_profiles/"
JOIN = "/joins/user_clicks-user_profiles-join/"


def named(key: str) -> str:
    return f"{PROFILES}?key={quote(key, safe='')}"


@pytest.fixture(scope="module")
def two(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Worker]]:
    with Stream(kafka.bootstrap, tmp_path_factory.mktemp("keys")) as stream:
        first, second = stream.start_two()
        stream.produce(KEYS)
        for key in KEYS:
            wait_until(lambda key=key: first.answers(named(key)), f"the profile of {key[:10]!r} is in the table")
        assert len({partition_of(key.encode(), PARTITIONS) for key in KEYS}) > 1
        yield first, second


def test_any_key_is_answered_as_a_parameter_through_either_worker(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        assert [worker.get(named(key)).json() for key in KEYS] == [profile(key) for key in KEYS]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
def test_a_key_is_answered_in_a_path_that_comes_as_it_is(two: tuple[Worker, Worker], key: str) -> None:
    paths = {row(key), f"{PROFILES}{''.join(f'%{byte:02X}' for byte in key.encode())}/"}
    for worker in two:
        for path in paths:
            assert worker.get(path).json() == profile(key)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"{PROFILES}%FF%FE/", "\\xff\\xfe"),
        (f"{PROFILES}?key=%FF", "\\xff"),
        (f"{PROFILES}%00/", "\0"),
        (f"{PROFILES}?key=", ""),
        (f"{PROFILES}{'%61' * 300_000}/", "a" * 200 + "… (300000 bytes)"),
    ],
    ids=["not UTF-8", "not UTF-8, as a parameter", "a zero byte", "empty", "300 kB"],
)
def test_a_key_that_there_is_not_is_not_found(two: tuple[Worker, Worker], path: str, told: str) -> None:
    for worker in two:
        response = worker.get(path)
        assert (response.status, response.json()["error"]) == (404, "key not found")
        assert response.json()["key"] == told


@pytest.mark.parametrize("path", [f"{PROFILES}/", f"{PROFILES}a/b/", "/nowhere", f"{PROFILES}u1"])
def test_a_path_that_there_is_not_is_not_found(two: tuple[Worker, Worker], path: str) -> None:
    response = two[0].get(path)
    assert response.status == 404
    assert "?key=KEY" in response.json()["error"]


@pytest.mark.parametrize("offset", ["-1", str(1 << 63), "9" * 30, "9" * 5_000, "1.5", "x", "1_0", "%D9%A3"])
def test_an_offset_that_is_none_is_a_bad_request(two: tuple[Worker, Worker], offset: str) -> None:
    response = two[0].get(f"{JOIN}user_clicks/0/{offset}/")
    assert response.status == 400
    assert response.json()["error"] == f"offset must be a whole number from 0 to {(1 << 63) - 1}"


@pytest.mark.parametrize(
    ("partition", "status", "error"),
    [
        ("-1", 400, "partition must be a whole number from 0 to 2147483647"),
        (str(1 << 31), 400, "partition must be a whole number from 0 to 2147483647"),
        (str((1 << 31) - 1), 404, "unknown partition"),
    ],
)
def test_a_partition_that_there_is_not_is_told(
    two: tuple[Worker, Worker], partition: str, status: int, error: str
) -> None:
    response = two[0].get(f"{JOIN}user_clicks/{partition}/0/")
    assert (response.status, response.json()["error"]) == (status, error)


@pytest.mark.parametrize(("time", "status"), [("-1", 400), (str(1 << 63), 400), ("9" * 5_000, 400), ("1e3", 400)])
def test_a_time_that_is_none_is_a_bad_request(two: tuple[Worker, Worker], time: str, status: int) -> None:
    response = two[0].get(f"{JOIN}user_clicks/?key=u&time={time}")
    assert (response.status, response.json()["error"]) == (
        status,
        f"time must be a whole number from 0 to {(1 << 63) - 1}",
    )


def test_the_last_offset_that_there_can_be_is_not_found(two: tuple[Worker, Worker]) -> None:
    for partition in range(PARTITIONS):
        response = two[0].get(f"{JOIN}user_clicks/{partition}/{(1 << 63) - 1}/")
        assert response.status == 404, response.body
        assert "has no offset" in response.json()["error"]


@needs_ipv6
def test_workers_at_ipv6_addresses_reach_each_other(kafka: Any, tmp_path: Path) -> None:
    with Stream(kafka.bootstrap, tmp_path) as stream:
        first, second = stream.start_two(web_bind="[::1]")
        assert first.get("/health").json()["worker"] == first.url == f"http://[::1]:{first.port}"
        stream.produce(["u1", "u2", "u3", "u4", "u5"])
        for worker in (first, second):
            for key in ("u1", "u2", "u3", "u4", "u5"):
                wait_until(lambda worker=worker, key=key: worker.answers(row(key)), f"{key} is found by {worker.url}")
        assert set(first.get("/router/").json()) == {first.url, second.url}
