"""Each record comes out once, with what just happened to its keys, in the order in which they came."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from commit_steps import OFFSETS
from enriched import balance, enriched, expected, given, numbers, produce, usable
from enriching_app import KINDS, SIDES
from ports import free_port
from topics import Topics
from worker import Worker, wait_until

#: A worker that is killed comes back as the same member of the group.
PORT = free_port()
EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "enrich", partitions=1)
    topics.create("payments")
    return topics


@pytest.fixture(autouse=True)
def _features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATURES", ",".join(KINDS))


def wait_done(topics: Topics, kind: str) -> None:
    numbers_sent = {one.value["at"] for one in expected(topics, kind)[0]}
    wait_until(
        lambda: topics.end(f"{kind}.results") >= len(numbers_sent) and numbers_of(topics, kind) == numbers_sent,
        f"{kind} is done",
    )


def numbers_of(topics: Topics, kind: str) -> set[int]:
    return {number for results in given(topics, kind).values() for number in numbers(results)}


def test_records_have_the_features_of_a_plain_model_in_their_order(topics: Topics, tmp_path: Path) -> None:
    produce(topics, 1_000)
    with Worker(tmp_path, app="enriching_app", store="memory://", **topics.settings) as worker:
        worker.wait_ready()
        for kind in KINDS:
            wait_done(topics, kind)
        balances = {kind: balance(worker, kind) for kind in KINDS}
        assert worker.terminate() == 0
    for kind in KINDS:
        results, rejected, late = expected(topics, kind)
        assert given(topics, kind)[0] == results
        assert late > 50
        sides = {side: topics.read(f"{kind}.{side}") for side in SIDES}
        assert len(sides["late"]) == late
        assert len(sides["rejected"]) + len(sides["null_key"]) == rejected
        told = [dict(message.headers()) for messages in sides.values() for message in messages]
        assert {headers["topic"].decode() for headers in told} == {f"{topics.prefix}payments"}
        offsets = {int(headers["offset"]) for headers in told}
        assert offsets.issuperset(numbers_refused(topics, kind))
        accounts = balances[kind]
        assert accounts["received"] == accounts["matched"] + accounts["rejected"] == len(results) + rejected


def numbers_refused(topics: Topics, kind: str) -> set[int]:
    """Return the offsets of the payments that are rejected."""
    return {
        message.offset()
        for message in topics.read("payments")
        if not usable(kind, message.key(), json.loads(message.value()))
    }


def wait_results(topics: Topics, worker: Worker, before: int) -> None:
    """Wait until a worker has sent results of its own, which is before it commits, or is no more."""
    wait_until(
        lambda: worker.exit_code is not None or topics.end("several.results", isolation="read_uncommitted") > before,
        "there are some results",
    )


def go_on(topics: Topics, directory: Path, part: int, **settings: Any) -> Worker:
    """Send a part of the payments, and start a worker."""
    produce(topics, 300, start=300 * part)
    return Worker(directory, app="enriching_app", web_port=PORT, **settings, **topics.settings)


def random_text(size: int) -> str:
    """Return text that cannot be compressed."""
    return Random(1).randbytes(size).hex()[:size]


def check(topics: Topics, guarantee: str) -> None:
    for kind in KINDS:
        results, _, _ = expected(topics, kind)
        came = given(topics, kind)[0]
        if guarantee == EXACTLY_ONCE:
            assert came == results
        else:  # some came twice, as the same
            assert list({one.value["at"]: one for one in came}.values()) == results
            assert all(one in results for one in came)


@pytest.mark.parametrize("guarantee", [EXACTLY_ONCE, AT_LEAST_ONCE])
def test_after_kills_each_record_has_come_out_with_its_features(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    settings: dict[str, Any] = {"store": "rocksdb://", "processing_guarantee": guarantee}
    before = 0
    for part in range(2):
        with go_on(topics, tmp_path, part, **settings) as worker:
            wait_results(topics, worker, before)
            worker.kill()
        before = topics.end("several.results", isolation="read_uncommitted")
    with go_on(topics, tmp_path, 2, **settings) as worker:
        for kind in KINDS:
            wait_done(topics, kind)
        assert worker.terminate() == 0
    check(topics, guarantee)


@pytest.mark.parametrize(
    ("step", "guarantee"),
    [
        ("a changelog has rows", AT_LEAST_ONCE),
        (OFFSETS, AT_LEAST_ONCE),
        ("the rows are not in the store", EXACTLY_ONCE),
    ],
)
def test_killed_amid_a_commit_no_record_is_lost_or_counted_twice(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, guarantee: str
) -> None:
    settings: dict[str, Any] = {"store": "rocksdb://", "processing_guarantee": guarantee}
    monkeypatch.setenv("DIES_AT", step)
    for part in range(2):
        with go_on(topics, tmp_path, part, **settings) as worker:
            wait_until(lambda worker=worker: worker.exit_code is not None, "it has died")
    monkeypatch.delenv("DIES_AT")
    with go_on(topics, tmp_path, 2, **settings) as worker:
        for kind in KINDS:
            wait_done(topics, kind)
        assert worker.terminate() == 0
    check(topics, guarantee)


def test_after_a_restart_features_go_on_as_if_nothing_had_been(topics: Topics, tmp_path: Path) -> None:
    for part in range(2):
        with go_on(topics, tmp_path / str(part), part, store="memory://") as worker:
            for kind in KINDS:
                wait_done(topics, kind)
            assert worker.terminate() == 0
    for kind in KINDS:
        assert given(topics, kind)[0] == expected(topics, kind)[0]


@pytest.mark.parametrize("guarantee", [EXACTLY_ONCE, AT_LEAST_ONCE])
def test_a_second_worker_that_comes_and_goes_changes_no_order(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarantee: str
) -> None:
    topics = Topics(kafka.bootstrap, "enrich-two", partitions=4)
    topics.create("payments")
    monkeypatch.setenv("GRACE", "1h")
    settings: dict[str, Any] = {
        "store": "memory://",
        "processing_guarantee": guarantee,
        **topics.settings,
    }
    produce(topics, 1_000, disorder=False)
    with Worker(tmp_path / "one", app="enriching_app", **settings) as one:
        wait_results(topics, one, 0)
        with Worker(tmp_path / "two", app="enriching_app", **settings) as two:
            two.wait_running()
            produce(topics, 1_000, start=1_000, disorder=False)
            wait_until(lambda: topics.end("several.results") > 1_000, "both work")
            two.kill()
        produce(topics, 1_000, start=2_000, disorder=False)
        for kind in KINDS:
            wait_done(topics, kind)
        assert one.terminate() == 0
    keyed = {result.value["at"]: result.value["n"] for results in given(topics, "keyed").values() for result in results}
    for kind in KINDS:
        for partition, results in given(topics, kind).items():
            sent = [message for message in topics.read("payments") if message.partition() == partition]
            assert list(dict.fromkeys(numbers(results))) == numbers([enriched(message) for message in sent])
            assert guarantee == AT_LEAST_ONCE or len(results) == len(sent)
            if "n" in KINDS[kind]:
                assert all(result.value["n"] == keyed[result.value["at"]] for result in results)


@pytest.mark.parametrize("internal", ["by-ip-questions", "answers"])
def test_what_is_too_large_to_be_asked_or_told_is_rejected_and_keeps_no_other(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, internal: str
) -> None:
    monkeypatch.setenv("FEATURES", "listed")
    name = topics.prefix
    topics.prefix = f"{topics.id}-listed-"
    topics.create(internal, config={"max.message.bytes": "2000"})
    topics.prefix = name
    payment = {"ip": "a", "at": 0, "note": "x"}
    # The second question is too large, and so is the answer that has both notes.
    for at, note in enumerate(("x", random_text(3_000), "y")):
        topics.send("payments", "k", payment | {"at": at, "note": note}, at=1_000 * at)
    topics.flush()
    with Worker(tmp_path, app="enriching_app", store="memory://", **topics.settings) as worker:
        wait_until(lambda: topics.end("listed.results") == 2, "the others come out")
        wait_until(lambda: topics.end("listed.rejected") == 1, "it is rejected")
        assert worker.terminate() == 0
    assert numbers(given(topics, "listed")[0]) == [0, 2]
    (rejected,) = topics.read("listed.rejected")
    assert b"it cannot be told its features" in dict(rejected.headers())["detail"]
