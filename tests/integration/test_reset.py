"""``streamapp reset`` starts an app or a join again, on purpose."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from orders import TABLE, order, with_customers
from topics import Topics
from worker import Worker, wait_until

WINDOWS = f"{TABLE} --before 10m --after 10m --grace 1m --late late"


@pytest.fixture
def topics(kafka) -> Topics:
    return with_customers(kafka.bootstrap, "again")


def group(topics: Topics) -> str:
    return f"{topics.id}-joined"


def run(topics: Topics, directory: Path, command: str, results: int) -> None:
    """Run a join until there are so many results, and its input is committed."""
    with Worker(directory, command=command.split(), **topics.settings) as worker:
        wait_until(lambda: topics.end("joined") >= results, f"{results} results")
        wait_until(lambda: topics.committed("orders", group(topics)) == topics.end("orders"), "all is committed")
        worker.terminate()


def joined(topics: Topics) -> Counter[tuple[int, str | None]]:
    values = [json.loads(message.value()) for message in topics.read("joined")]
    return Counter((value["left"]["order"], value["right"] and value["right"]["name"]) for value in values)


def reset(
    topics: Topics, directory: Path, options: str, *, program: str = "streamapp", reset: bool = True
) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    settings = {**topics.settings, "datadir": directory / "data"}
    variables |= {f"STREAMAPP_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", *program.split(), *("reset " * reset + options).split()]
    return subprocess.run(
        command, env=variables, cwd=directory, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_windowed_join_gives_all_its_results_again_after_a_reset_and_none_is_late(
    topics: Topics, tmp_path: Path
) -> None:
    order(topics, range(50))
    this = f"--group {group(topics)}"
    with Worker(tmp_path, command=WINDOWS.split(), **topics.settings) as worker:
        wait_until(lambda: topics.committed("orders", group(topics)) == 50, "all is read")
        busy = reset(topics, tmp_path, f"{this} --execute")
        assert busy.returncode == 1, busy.stderr
        assert f"streamapp reset: workers of {group(topics)} run: " in busy.stderr
        assert " at 127.0.0.1; stop them first" in busy.stderr
        worker.terminate()

    shown = reset(topics, tmp_path, this)
    assert shown.returncode == 0
    assert "nothing is changed yet: --execute does it" in shown.stdout
    assert topics.committed("orders", group(topics)) == 50
    changelog = f"changelog, made anew: {group(topics)}-orders-customers-join-changelog  "
    for told in (f"input: {topics.prefix}orders[0]  ", " → 0  ", "records are read again", changelog, "-0.rocksdb"):
        assert told in shown.stdout

    done = reset(topics, tmp_path, f"{this} --execute")
    assert (done.returncode, done.stderr) == (0, "")
    assert topics.committed("orders", group(topics)) == 0
    assert not list((tmp_path / "data").rglob("orders-customers-join-*.rocksdb"))

    run(topics, tmp_path, WINDOWS, 100)
    assert joined(topics) == Counter({(number, f"name {number % 10}"): 2 for number in range(50)})
    assert topics.end("late") <= 0


def test_a_reset_to_a_time_reads_the_stream_from_there_and_the_table_as_a_whole(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    order(topics, range(10, 15), at=60_000)
    run(topics, tmp_path, TABLE, 15)
    since = datetime.datetime.fromtimestamp((topics.now + 60_000) / 1000, datetime.UTC).isoformat()
    done = reset(topics, tmp_path, f"--group {group(topics)} --from {since} --execute")
    assert f"{topics.prefix}customers is a table, and is read from its beginning" in done.stdout
    run(topics, tmp_path, f"{TABLE} --history 1h", 20)
    again = Counter((number, f"name {number % 10}") for number in range(10, 15))
    assert joined(topics) == again + Counter((number, f"name {number % 10}") for number in range(15))


def test_with_its_state_kept_a_table_join_reads_again_and_windows_are_refused(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path, TABLE, 10)
    this = f"--group {group(topics)} --keep-state --execute"
    done = reset(topics, tmp_path, this)
    assert f"{topics.prefix}customers is a table, whose rows are kept" in done.stdout
    assert topics.committed("customers", group(topics)) == 10
    run(topics, tmp_path, TABLE, 20)
    assert joined(topics) == Counter({(number, f"name {number}"): 2 for number in range(10)})

    reset(topics, tmp_path, f"--group {group(topics)} --execute")
    run(topics, tmp_path, WINDOWS, 30)
    refused = reset(topics, tmp_path, this)
    assert refused.returncode == 1
    assert (
        "the state of orders-customers-join keeps its clock, so that what is read again would be late" in refused.stderr
    )


def test_a_repartitioned_join_is_reset_with_the_topic_between(topics: Topics, tmp_path: Path) -> None:
    for number in range(10):
        topics.send("orders", f"o{number}", {"order": number, "customer_id": f"c{number}"}, at=1)
    topics.flush()
    command = f"{TABLE} --repartition left"
    run(topics, tmp_path, command, 10)
    done = reset(topics, tmp_path, f"--group {group(topics)} --execute")
    assert "internal topic, emptied: " in done.stdout
    run(topics, tmp_path, command, 20)
    assert joined(topics) == Counter({(number, f"name {number}"): 2 for number in range(10)})


def test_the_click_app_is_reset_by_our_command_and_not_by_fausts(topics: Topics, tmp_path: Path) -> None:
    topics.create("user_clicks", "user_profiles")
    topics.profiles(range(5))
    topics.clicks(range(10), users=5, at=1)
    with Worker(tmp_path, **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 10, "all is read")
        worker.terminate()
    done = reset(topics, tmp_path, "--execute", program="faust -A streamapp")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "done")
    assert topics.table("user_profiles") == {}
    with Worker(tmp_path, **topics.settings):
        wait_until(lambda: sum(topics.joined().values()) == 20, "all clicks are joined again")
    assert set(topics.joined().values()) == {2}


def test_a_new_join_begins_where_it_is_told_to_and_later_nowhere_else(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    order(topics, range(10, 15), at=60_000)
    since = topics.now + 60_000
    run(topics, tmp_path, f"{TABLE} --from {since}", 5)
    order(topics, range(15, 20), at=60_000)
    run(topics, tmp_path, f"{TABLE} --from {since}", 10)
    assert joined(topics) == Counter((number, f"name {number % 10}") for number in range(10, 20))
    with Worker(tmp_path, command=[*TABLE.split(), "--from", "beginning"], **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        last = worker.log.splitlines()[-1]
    assert last.startswith(f"streamapp join: --from beginning is for a new group, and {group(topics)} has read ")
    assert last.endswith(f"and `streamapp reset --group {group(topics)} --from beginning` begins again")


def test_a_group_that_is_renamed_goes_on_with_its_state(topics: Topics, tmp_path: Path) -> None:
    order(topics, range(10))
    run(topics, tmp_path, WINDOWS, 10)
    new = f"{topics.id}-renamed"
    command = f"rename {group(topics)} {new} --execute"
    done = reset(topics, tmp_path, command, reset=False)
    assert (done.returncode, done.stderr) == (0, "")
    again = reset(topics, tmp_path, command, reset=False)
    assert again.stderr == (f"streamapp rename: {new} has begun already: {new}-orders-customers-join-changelog\n")
    order(topics, range(10, 20), at=2)
    renamed = [word.replace("joined", "renamed") for word in WINDOWS.split()]
    with Worker(tmp_path / "new", command=renamed, **topics.settings):
        wait_until(lambda: topics.end("renamed") == 10, "the new orders join the customers of the state")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--group nobody", "the group nobody has committed nothing"),
        ("--from soon", "'soon' is neither beginning nor now, nor a time"),
        ("--from 100", "100 is no time in ms since 1970; --offset 100 names an offset"),
        ("--topic nothing", "does not read nothing, but "),
        ("--topic PREFIXuser_clicks", "goes into one state with"),
        ("--topic PREFIXuser_clicks --offset 7 --keep-state", "has offsets 0 to 0, and not 7"),
    ],
)
def test_what_cannot_be_reset_is_refused_in_one_line(kafka, tmp_path: Path, options: str, told: str) -> None:
    topics = Topics(kafka.bootstrap, "never", partitions=1)
    topics.create("user_clicks", "user_profiles")
    refused = reset(topics, tmp_path, options.replace("PREFIX", topics.prefix))
    assert refused.returncode != 0
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_reset_of_an_app_of_ones_own_is_ours(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "own", partitions=1)
    topics.create("orders", "customers")
    (tmp_path / "own_app.py").write_text(
        "from streamapp.settings import Settings\n"
        "from streamapp.topology import App\n"
        "app = App(Settings.load())\n"
        "orders, customers = app.topic('orders'), app.topic('customers')\n"
        "orders.join(customers.table(), name='named').to(app.sink('named'))\n"
    )
    shown = reset(topics, tmp_path, "", program="faust -A own_app")
    assert f"input: {topics.prefix}orders[0]  - → 0" in shown.stdout
    assert shown.stdout.endswith("nothing is changed yet: --execute does it\n")
