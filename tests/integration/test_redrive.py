"""`streamapp redrive` on a real Kafka: mended, joined, marked, and nothing twice, whatever ends it."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from joined import balance
from redriven import MARK, mark, marked, report, run, start, wait_read
from topics import Received, Topics
from worker import Worker, wait_until

GUARANTEES = ("at_least_once", "exactly_once")


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "redrive", partitions=2)


def send_letters(topics: Topics, count: int, source: str = "orders") -> None:
    """Send dead letters as a worker writes them."""
    for number in range(count):
        place = {"topic": topics.prefix + source, "partition": "0", "offset": str(number)}
        headers = [*place.items(), ("reason", "not_json"), ("error", "bad"), ("trace", b"1")]
        topics.send("dead_letters", f"k{number}", {"n": number}, at=number, headers=headers)
    topics.flush()


def uncommitted(topics: Topics, name: str) -> list[Received]:
    """Read a topic as a worker does that reads what is not committed."""
    topic = topics.prefix + name
    consumer = Consumer(
        {
            "bootstrap.servers": topics.bootstrap,
            "group.id": "test-uncommitted",
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(topics.partitions)])
        found: list[Any] = []
        ended: set[int] = set()

        def read() -> bool:
            for message in consumer.consume(1_000, 0.1):
                if message.error():
                    ended.add(message.partition() or 0)
                else:
                    found.append(message)
            return len(ended) == topics.partitions

        wait_until(read, f"{topic} is read to its ends")
        return found
    finally:
        consumer.close()


def test_dead_letters_are_mended_joined_and_sent_once(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "customers", "views")
    topics.send("customers", "k", {"name": "ann"})
    topics.send("orders", "k", {"amount": "10"}, at=1_000, headers=[("trace", b"1")])
    topics.send("orders", "k", b"{", at=2_000)
    topics.flush()
    with Worker(tmp_path, app="redriving_app", **topics.settings) as worker:
        wait_until(lambda: topics.end("dead_letters") == 4, "two orders are refused by two joins")
        orders = ("--source", "orders", "--where", "amount != null")
        shown = run(topics, *orders, "--set", "amount=number(amount)")
        assert "nothing is sent yet" in shown[1]
        assert '"amount":"10"' in shown[1]
        assert '"amount":10' in shown[1]
        assert not topics.exists("dead_letters-redriven")
        sent = report(topics, *orders, "--set", "amount=number(amount)", "--execute")
        assert sent == {"picked": 2, "mended": 2, "sent": 2, "skipped": 0, "refused": 0}
        (result,) = wait_until(lambda: topics.read("enriched.joined"), "the order is joined")
        assert json.loads(result.value()) == {"left": {"amount": 10}, "right": {"name": "ann"}}
        assert result.timestamp()[1] == topics.now + 1_000
        assert (mark(result)["attempt"], "join" in mark(result)) == (1, False)
        assert result.headers()[1:] == [("trace", b"1")]
        again = report(topics, *orders, "--set", "amount=number(amount)", "--execute")
        assert again == {"picked": 2, "mended": 0, "sent": 0, "skipped": 2, "refused": 0}
        wait_read(topics, worker, "orders")
        # Each join has what it had refused once more, and not what the other one had.
        assert +balance(worker, "enriched") == {"received": 3, "matched": 1, "rejected": 2}
        assert +balance(worker, "pairs") == {"received": 3, "pending": 1, "rejected": 2}
        assert worker.get("/health/ready").status == 200


def test_what_is_refused_again_comes_back_with_the_number_of_attempts(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "customers", "views")
    topics.send("orders", "k", b"{")
    topics.flush()
    with Worker(tmp_path, app="redriving_app", **topics.settings):
        for attempt in (1, 2):
            letters = wait_until(
                lambda attempt=attempt: found if len(found := topics.read("dead_letters")) >= 2 * attempt else None,
                "the order is refused by both joins",
            )
            newest = max(letters, key=lambda one: int(dict(one.headers())["offset"]))
            place = {name: value.decode() for name, value in newest.headers() if name in {"partition", "offset"}}
            picked = ("--source", "orders", "--offsets", place["offset"], "-p", place["partition"])
            _, out, _ = run(topics, *picked)
            assert ("redriven 1 times before" in out) is (attempt == 2)
            marks = [json.loads(dict(one.headers())[MARK]) for one in letters if MARK in dict(one.headers())]
            assert {one["attempt"] for one in marks} == set(range(1, attempt))
            report(topics, *picked, "--execute")
        wait_until(
            lambda: any(b'"attempt":2' in dict(one.headers()).get(MARK, b"") for one in topics.read("dead_letters")),
            "it is refused for the second time after it was redriven",
        )


def test_broken_json_is_mended_in_an_editor_and_clicks_are_joined(topics: Topics, tmp_path: Path) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import json, sys\n"
        "lines = [json.loads(line) for line in open(sys.argv[1])]\n"
        "for line in lines: line['text'] += '}'\n"
        "open(sys.argv[1], 'w').writelines(json.dumps(line) + '\\n' for line in lines)\n"
    )
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import sys\nopen(sys.argv[1], 'a').write('no line\\n')\n")
    with Worker(tmp_path, **topics.settings) as worker:
        worker.wait_ready()
        topics.profiles([1])
        topics.send("user_clicks", "u1", b'{"click_id": "c1", "user_id": "u1", "url": "/"', at=1_000)
        topics.flush()
        wait_until(lambda: topics.end("dead_letters") == 1, "the click is a dead letter")
        code, _, err = run(topics, "--edit", "--execute", VISUAL=f"{sys.executable} {wrong}")
        assert code == 1
        assert "nothing is sent: line 2: " in err
        (kept,) = re.findall(r"is in (\S+)", err)
        assert "no line" in Path(kept).read_text()
        Path(kept).unlink()
        sent = report(topics, "--edit", "--execute", VISUAL=f"{sys.executable} {editor}")
        assert sent == {"picked": 1, "mended": 1, "sent": 1, "skipped": 0, "refused": 0}
        (result,) = wait_until(lambda: topics.read("joined_data"), "the click is joined")
    assert json.loads(result.value())["profile"]["user_id"] == "u1"
    assert result.timestamp()[1] == topics.now + 1_000
    assert mark(result) == {
        "letter": f"{topics.prefix}dead_letters/{mark(result)['letter'].split('/', 1)[1]}",
        "of": f"{topics.prefix}user_clicks/{result.partition()}/0",
        "attempt": 1,
    }


def test_a_late_record_is_joined_with_what_is_still_there_and_a_closed_window_stays_closed(
    topics: Topics, tmp_path: Path
) -> None:
    topics.create("orders", "customers", "views", partitions=1)
    topics.partitions = 1
    with Worker(tmp_path, app="redriving_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.send("orders", "k", {"amount": 1}, at=1_000)
        topics.send("orders", "other", {"amount": 2}, at=30_000)
        topics.flush()
        wait_read(topics, worker, "orders")
        topics.send("views", "other", {"clock": 1}, at=31_000)
        topics.flush()
        wait_read(topics, worker, "views")
        topics.send("views", "k", {"late": 1}, at=2_000, headers=[("trace", b"1")])
        topics.flush()
        wait_until(lambda: topics.end("pairs.late") == 1, "the view is late")
        wait_until(lambda: topics.end("counts.late") == 1, "it is late for its window")
        assert report(topics, "pairs.late", "--reason", "late", "--execute")["sent"] == 1
        (result,) = wait_until(lambda: list(marked(topics.read("pairs.joined"))), "the late view is joined")
        assert json.loads(result.value()) == {"left": {"late": 1}, "right": {"amount": 1}}
        assert result.timestamp()[1] == topics.now + 2_000
        assert mark(result)["of"] == f"{topics.prefix}views/0/1"
        assert topics.end("counts.late") == 1  # that was for the join
        assert report(topics, "counts.late", "--execute")["sent"] == 1
        late = wait_until(
            lambda: found if len(found := topics.read("counts.late")) == 2 else None, "its window is closed"
        )
        assert len(list(marked(topics.read("pairs.joined")))) == 1
        assert json.loads(dict(late[1].headers())[MARK])["attempt"] == 1
        assert topics.end("pairs.late") == 1
        wait_read(topics, worker, "views", "orders")
        found = balance(worker, "pairs")
        assert found["received"] == sum(found[name] for name in ("matched", "unmatched", "pending", "late", "rejected"))
        assert (found["received"], found["late"]) == (5, 1)
        assert worker.get("/health/ready").status == 200


def test_a_window_that_is_open_counts_the_record_and_its_result_is_marked(topics: Topics, tmp_path: Path) -> None:
    topics.create("orders", "customers", "views", partitions=1)
    topics.partitions = 1
    place = [("topic", f"{topics.prefix}views"), ("partition", "0"), ("offset", "0"), ("reason", "not_json")]
    with Worker(tmp_path, app="redriving_app", **topics.settings) as worker:
        worker.wait_ready()
        topics.now -= topics.now % 100
        topics.send("dead_letters", "k", {"n": 1}, at=1_010, headers=[*place, ("error", "bad")])
        topics.send("views", "k", {"n": 2}, at=1_020)
        topics.flush()
        wait_read(topics, worker, "views")
        assert report(topics, "--execute")["sent"] == 1
        wait_read(topics, worker, "views")
        topics.send("views", "k", {"n": 3}, at=5_000)
        topics.flush()
        (result,) = wait_until(lambda: topics.read("counts.results"), "the window is closed")
    assert json.loads(result.value())["n"] == 2
    assert mark(result)["attempt"] == 1


@pytest.mark.parametrize("step", [1, 2, 3, 4])
@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_after_a_kill_at_any_step_nothing_is_lost_and_nothing_is_there_twice(
    topics: Topics, guarantee: str, step: int
) -> None:
    topics.create("orders", "dead_letters")
    send_letters(topics, 900)
    with start(
        topics, "--execute", program="dying_redrive.py", STEP=str(step), processing_guarantee=guarantee
    ) as killed:
        killed.communicate(timeout=90)
        assert killed.returncode == -signal.SIGKILL
    told = report(topics, "--execute", processing_guarantee=guarantee)
    assert told["picked"] == 900
    assert told["sent"] + told["skipped"] == 900
    read = topics.read("orders") if guarantee == "exactly_once" else uncommitted(topics, "orders")
    assert Counter(one.value() for one in read) == Counter(json.dumps({"n": n}).encode() for n in range(900))
    assert len({mark(one)["letter"] for one in read}) == 900
    assert report(topics, "--execute", processing_guarantee=guarantee)["sent"] == 0


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_two_at_once_send_each_record_once(topics: Topics, guarantee: str) -> None:
    topics.create("orders", "dead_letters")
    send_letters(topics, 3_000)
    both = [start(topics, "--execute", processing_guarantee=guarantee) for _ in range(2)]
    ends = [process.communicate(timeout=90) for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, ends
    for (_, err), code in zip(ends, codes, strict=True):
        assert code == 0 or "another redrive of these letters has begun since" in err, err
    report(topics, "--execute", processing_guarantee=guarantee)
    read = topics.read("orders") if guarantee == "exactly_once" else uncommitted(topics, "orders")
    assert Counter(one.value() for one in read) == Counter(json.dumps({"n": n}).encode() for n in range(3_000))


def test_letters_of_a_topic_that_was_made_anew_are_others(topics: Topics) -> None:
    topics.create("orders", "dead_letters")
    send_letters(topics, 3)
    assert report(topics, "--execute")["sent"] == 3
    topics.renew("dead_letters")
    send_letters(topics, 3)
    assert report(topics, "--execute")["sent"] == 3


def test_records_are_sent_as_they_came_with_their_keys_times_partitions_and_headers(topics: Topics) -> None:
    topics.create("orders", "dead_letters")
    send_letters(topics, 20)
    assert report(topics, "--execute", "--from", str(topics.now + 5), "--until", str(topics.now + 15))["sent"] == 10
    read = topics.read("orders")
    assert {json.loads(one.value())["n"] for one in read} == set(range(5, 15))
    for one in read:
        number = json.loads(one.value())["n"]
        assert (one.key(), one.timestamp()[1]) == (b"k%d" % number, topics.now + number)
        assert one.partition() == 0
        assert one.headers()[1:] == [("trace", b"1")]


def test_what_cannot_be_mended_is_refused_and_the_others_are_sent(topics: Topics) -> None:
    topics.create("orders", "dead_letters")
    send_letters(topics, 2)
    topics.send("dead_letters", "k", {"no": "letter"})
    topics.flush()
    send_letters(topics, 1, source="gone")
    code, out, err = run(topics, "--set", "half=n / 2", "--drop", "n", "--execute")
    assert code == 1
    assert json.loads(out.splitlines()[-1]) == {"picked": 4, "mended": 2, "sent": 2, "skipped": 0, "refused": 2}
    assert f"there is no topic {topics.prefix}gone" in err
    assert "is no dead letter and no late record" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--offsets", "1-2"], "--offsets needs --source"),
        (["--offsets", "2-1", "--source", "orders"], "is no offset"),
        (["--edit"], "--edit needs --execute"),
        (["--from", "beginning"], "--from and --until are times"),
        (["--set", "a=eval('1')"], "is not for mending"),
        (["--where", "a = 1"], "one = is written =="),
    ],
)
def test_what_cannot_be_is_told_in_a_line(topics: Topics, arguments: list[str], why: str) -> None:
    code, _, err = run(topics, *arguments)
    assert code == 2
    assert why in err


def test_dead_letters_of_another_app_that_has_no_prefix_are_let_be(topics: Topics) -> None:
    other = Topics(topics.bootstrap, "redrive-other")
    other.prefix = ""
    with other.made("dead_letters"):
        topics.create("orders", "dead_letters")
        send_letters(topics, 1)
        assert report(topics, "--execute")["sent"] == 1


def test_a_topic_that_is_not_there_is_told(topics: Topics) -> None:
    code, _, err = run(topics, "nowhere")
    assert (code, err.count("\n")) == (1, 1)
    assert "there is no topic nowhere" in err
