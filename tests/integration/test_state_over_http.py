"""The state over HTTP: two workers that share a table, on each store; both say the same of all of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from click.testing import CliRunner
from confluent_kafka import Producer
from hypothesis import HealthCheck, given, settings
from pyarrow import parquet
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from test_web import KEYS, ODD_KEYS, PARTITIONS, Stream
from worker import Worker, wait_until

from streamapp.cli.group import streamapp

ALL = sorted([*KEYS, *ODD_KEYS])
ROWS = "/api/tables/user_profiles/rows"
COUNT = "/api/tables/user_profiles/count"
LIVE = "/api/live"
#: Requests to each path, so that it is over in seconds.
EXAMPLES = 12
CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module", params=["memory://", "rocksdb://"])
def both(
    request: pytest.FixtureRequest, kafka: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stream, Worker, Worker]]:
    with Stream(kafka.bootstrap, tmp_path_factory.mktemp("state")) as stream:
        first, second = stream.start_two(store=request.param)
        stream.produce(ALL)
        wait_until(lambda: first.get(COUNT).json().get("count") == len(ALL), "all rows are committed")
        yield stream, first, second


@pytest.fixture
def two(both: tuple[Stream, Worker, Worker]) -> tuple[Worker, Worker]:
    return both[1:]


def pages(worker: Worker, query: str) -> Iterator[dict[str, Any]]:
    """Go through the pages of the rows."""
    cursor: str | None = ""
    while cursor is not None:
        response = worker.get(f"{ROWS}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert response.status == 200, response.body
        page = response.json()
        yield page
        cursor = page["cursor"]


def test_each_worker_lists_all_tables_with_their_owners_and_the_same_counts(two: tuple[Worker, Worker]) -> None:
    one, other = (worker.get("/api/tables").json() for worker in two)
    (table,) = one
    assert (table["name"], table["kind"], table["rows"]) == ("user_profiles", "table", len(ALL))
    assert [each["lag"] for each in table["partitions"]] == [0] * PARTITIONS
    assert {each["owner"] for each in table["partitions"]} == {worker.url for worker in two}
    assert [each["reason"] for each in table["partitions"]] == [None] * PARTITIONS
    without_notes = [{**each, "in_step": None} for each in table["partitions"]]
    assert [{**each, "in_step": None} for each in other[0]["partitions"]] == without_notes


def test_each_worker_gives_all_rows_once_in_pages(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        found = [row["key"] for page in pages(worker, "limit=300") for row in page["rows"]]
        assert sorted(found) == ALL


def test_a_page_says_of_each_partition_where_and_how_far_it_was_read(two: tuple[Worker, Worker]) -> None:
    at = [one for page in pages(two[0], "limit=1000") for one in page["at"]]
    assert {one["partition"] for one in at} == set(range(PARTITIONS))
    assert {one["worker"] for one in at} == {worker.url for worker in two}
    assert all(one["offset"] > 0 and one["lag"] == 0 and one["exact"] for one in at)


def test_rows_are_filtered_and_counted_through_either_worker(two: tuple[Worker, Worker]) -> None:
    where = quote("name == 'name of user7' or _key == 'Zoë'")
    for worker in two:
        found = [row["key"] for page in pages(worker, f"where={where}") for row in page["rows"]]
        assert sorted(found) == ["Zoë", "user7"]
        assert worker.get(f"{COUNT}?where={where}").json()["count"] == 2
        assert worker.get(f"{COUNT}?prefix=user1").json()["count"] == sum(key.startswith("user1") for key in ALL)


def test_any_key_is_answered_by_any_worker(two: tuple[Worker, Worker]) -> None:
    for worker in two:
        for key in ["user1", "user2", "user3", "user4", *ODD_KEYS]:
            for path in (f"{ROWS}/{quote(key, safe='')}", f"/api/tables/user_profiles?key={quote(key, safe='')}"):
                assert worker.get(path).json()["value"]["user_id"] == key


def test_a_row_that_changes_amid_a_scan_is_seen_once_as_it_was(both: tuple[Stream, Worker, Worker]) -> None:
    stream, first, second = both
    # The scan of the first partition has begun: what is written to it now is after its snapshot.
    scan = pages(first, "limit=10&partition=0")
    rows = next(scan)["rows"]
    there = {row["key"] for page in pages(second, "limit=1000&partition=0") for row in page["rows"]}
    changed = sorted(there - {row["key"] for row in rows})
    producer = Producer({"bootstrap.servers": stream.bootstrap, "partitioner": "murmur2_random"})
    for key in changed:
        value = json.dumps({"user_id": key, "name": "changed"})
        producer.produce(f"{stream.name}-user_profiles", key=key, value=value, timestamp=1_700_000_001_000)
    assert producer.flush(60) == 0
    where = quote("name == 'changed'")
    wait_until(lambda: first.get(f"{COUNT}?where={where}").json().get("count") == len(changed), "the rows are changed")
    rows += [row for page in scan for row in page["rows"]]
    assert sorted(row["key"] for row in rows) == sorted(there)
    assert {row["value"]["name"] for row in rows if row["key"] in changed}.isdisjoint({"changed"})


def test_the_command_writes_all_rows_to_a_file(two: tuple[Worker, Worker], tmp_path: Path) -> None:
    for name in ("rows.jsonl", "rows.parquet"):
        table(two[1], "user_profiles", "--to", str(tmp_path / name))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    assert sorted(line["key"] for line in lines) == ALL
    read = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert sorted(row["value"]["user_id"] for row in read) == ALL
    assert table(two[0], "user_profiles", "--count").strip() == str(len(ALL))
    assert "user_profiles  table" in table(two[0])


def table(worker: Worker, *arguments: str) -> str:
    result = CliRunner().invoke(streamapp, ["table", *arguments, "--worker", worker.url], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_answers_are_as_the_document_says(two: tuple[Worker, Worker]) -> None:
    document = two[0].get("/openapi.json").json()
    # Names at random are those of nothing.
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "name":
                    parameter["schema"] = {"enum": ["user_profiles", "user_clicks-user_profiles-join"]}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=two[0].url)
    called = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        called.add(operation.path)
        if operation.path == LIVE:  # which has no end
            continue

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def conforms(case: schemathesis.Case) -> None:
            response = case.call()
            assert response.status_code != 500, response.text
            case.validate_response(response, checks=CHECKS)

        conforms()
    assert called == set(document["paths"])
    with urllib.request.urlopen(two[0].url + LIVE, timeout=10) as events:  # noqa: S310
        assert events.headers["Content-Type"] in document["paths"][LIVE]["get"]["responses"]["200"]["content"]
