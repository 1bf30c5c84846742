"""Each program of examples/clients does what its first lines say, on a real Kafka."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest
from client_program import CLIENTS, LOOPS, PATTERNS, ROOT, ended, start
from topics import Topics
from worker import wait_until


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "clients", partitions=1)
    topics.create("doubled")
    return topics


def send(topics: Topics, *values: int | bytes) -> None:
    for value in values:
        topics.send("numbers", None, value)
    topics.flush()


def read(topics: Topics, name: str) -> list[int]:
    return [int(message.value()) for message in topics.read(name)]


def test_each_pattern_is_there_for_each_client_and_listed() -> None:
    folder = ROOT / "examples" / "clients"
    programs = {str(path.relative_to(folder)) for path in folder.glob("*/*.py")}
    assert programs == {f"{client}/{pattern}.py" for client in CLIENTS for pattern in PATTERNS}
    listed = (folder / "README.md").read_text()
    assert [program for program in programs if f"({program})" not in listed] == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_producer_waits_for_room_and_hears_that_all_is_delivered(topics: Topics, tmp_path: Path, client: str) -> None:
    topics.create("numbers")
    with start(client, "produce", topics, tmp_path, count=5_000, room=100) as program:
        assert ended(program) == 0
        assert "'delivered': 5000" in program.log
        if client in LOOPS:  # in the library it is Faust's `send` that waits
            assert int(re.findall(r"'waits': (\d+)", program.log)[0]) > 0
    assert read(topics, "numbers") == list(range(5_000))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_producer_hears_what_the_broker_refuses(topics: Topics, tmp_path: Path, client: str) -> None:
    topics.create("numbers", config={"cleanup.policy": "compact"})  # which takes no record without a key
    with start(client, "produce", topics, tmp_path, count=10) as program:
        assert ended(program) == 1
        assert "'delivered'" not in program.log
        assert sum(map(int, re.findall(r"'failed \([^']+\)': (\d+)", program.log))) == 10


@pytest.mark.parametrize("client", LOOPS)
def test_a_loop_commits_the_offset_after_what_it_has_processed(topics: Topics, tmp_path: Path, client: str) -> None:
    topics.create("numbers")
    send(topics, 1, 2, 3, 4, 5)
    with start(client, "commit", topics, tmp_path) as program:
        wait_until(lambda: topics.committed("numbers") == 5, "all is committed")
        assert "total 15" in program.log
        send(topics, b"no number")
        assert ended(program) == 1
    assert topics.committed("numbers") == 5


def test_the_library_commits_what_an_agent_has_done(topics: Topics, tmp_path: Path) -> None:
    topics.create("numbers")
    send(topics, 1, 2, b"no number", 3, 4, 5)
    with start("faust", "commit", topics, tmp_path) as program:
        wait_until(lambda: topics.committed("numbers") == 6, "all is committed")
        assert "total 15" in program.log
    assert [letter.value() for letter in topics.read("dead_letters")] == [b"no number"]


@pytest.mark.parametrize("client", CLIENTS)
def test_what_fails_for_a_while_is_done_once_in_order(topics: Topics, tmp_path: Path, client: str) -> None:
    topics.create("numbers")
    folder, away = tmp_path / "out", tmp_path / "away"
    failed = "once more" if client == "faust" else "back to what is committed"
    send(topics, *range(10))
    with start(client, "seek_back", topics, tmp_path, file=folder / "numbers", pause_s=0.1) as program:
        wait_until(lambda: failed in program.log, "the first one fails")
        assert topics.committed("numbers") == 0
        folder.mkdir()
        wait_until(lambda: topics.committed("numbers") == 10, "all are committed")
        folder.rename(away)
        before = program.log.count(failed)
        send(topics, *range(10, 20))
        wait_until(lambda: program.log.count(failed) > before, "a later one fails")
        assert topics.committed("numbers") == 10
        away.rename(folder)
        wait_until(lambda: topics.committed("numbers") == 20, "all are committed")
    assert [int(line) for line in (folder / "numbers").read_text().splitlines()] == list(range(20))


@pytest.mark.parametrize("client", LOOPS)
def test_a_loop_pauses_at_the_high_watermark_and_resumes_at_the_low(
    topics: Topics, tmp_path: Path, client: str
) -> None:
    topics.create("numbers")
    send(topics, *range(200))
    with start(client, "pause_resume", topics, tmp_path, high=50, low=10, work_s=0.003) as program:
        wait_until(lambda: topics.committed("numbers") == 200, "all are committed")
        paused = [int(number) for number in re.findall(r"paused with (\d+)", program.log)]
        resumed = [int(number) for number in re.findall(r"resumed with (\d+)", program.log)]
    assert set(paused) == {50}
    assert len(resumed) == len(paused) > 1
    assert max(resumed) <= 10


def test_the_library_fetches_no_more_ahead_than_its_buffer(topics: Topics, tmp_path: Path) -> None:
    topics.create("numbers")
    for _ in range(40):
        send(topics, b"." * 8_000)  # a record batch of its own
    with start("faust", "pause_resume", topics, tmp_path, work_s=0.001, streamapp_buffer=1 << 16) as program:
        wait_until(lambda: topics.committed("numbers") == 40, "all are committed")
        taken = [int(number) for number in re.findall(r"(\d+) bytes", program.log)]
    assert sum(taken) == 40 * 8_000
    assert max(taken) < (1 << 16) + 8_000


@pytest.mark.parametrize("client", CLIENTS)
def test_results_in_transactions_are_there_once_after_a_kill(topics: Topics, tmp_path: Path, client: str) -> None:
    topics.create("numbers")
    send(topics, *range(2_000))
    settings = {"streamapp_processing_guarantee": "exactly_once", "streamapp_instance_id": "a"}
    with start(client, "transactions", topics, tmp_path, **settings) as program:
        wait_until(lambda: topics.end("doubled") > 0, "there are results")
        program.kill()
    send(topics, *range(2_000, 3_000))
    with start(client, "transactions", topics, tmp_path, **settings):
        wait_until(lambda: topics.committed("numbers") >= 3_000, "all are committed")
    assert Counter(read(topics, "doubled")) == Counter(range(0, 6_000, 2))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_signal_ends_a_program_once_what_it_has_begun_is_done(
    topics: Topics, tmp_path: Path, client: str, number: signal.Signals
) -> None:
    topics.create("numbers")
    send(topics, *range(4))
    with start(client, "graceful_stop", topics, tmp_path, work_s=0.2) as program:
        wait_until(lambda: "begun 0" in program.log, "it has begun")
        os.kill(program.pid, number)
        assert ended(program) == 0
        done = re.findall(r"done (\d)\b", program.log)
        assert done == re.findall(r"begun (\d)\b", program.log)
    assert topics.committed("numbers") == len(done) > 0
    assert topics.members() == 0
