"""A worker that has followed the changelog of a partition takes it over without reading it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

USERS = 2_000
READY = re.compile(r"Ready: (\d+) table partitions, ([\d,]+) changelog records read")


def recoveries(worker: Worker) -> list[tuple[int, int]]:
    """Give the partitions and the changelog records of each recovery of a worker."""
    return [(int(count), int(records.replace(",", ""))) for count, records in READY.findall(worker.log)]


@pytest.mark.parametrize("store", ["rocksdb://", "memory://"])
def test_a_standby_takes_over_the_partitions_of_a_stopped_worker_at_once(kafka, tmp_path: Path, store: str) -> None:
    topics = Topics(kafka.bootstrap, "standby")
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(USERS))
    settings = {**topics.settings, "standbys": 1, "store": store}
    with Worker(tmp_path / "one", **settings) as one:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        with Worker(tmp_path / "two", **settings) as two:
            wait_until(lambda: two.wait_ready().assigned(), "the second worker has partitions")
            wait_until(lambda: "Standby: 2 table partitions" in two.log, "it keeps the rows of the others too")
            assert (
                two.get("/table/user_profiles/").json()["partitions"] == two.assigned()[topics.prefix + "user_clicks"]
            )
            assert one.terminate() == 0
            wait_until(lambda: recoveries(two)[-1][0] == 4, "it takes all partitions over")
            assert recoveries(two)[-1] == (4, 0)
            topics.clicks(range(USERS), users=USERS)
            wait_until(lambda: topics.end("joined_data") == USERS, "the clicks join")
    assert topics.end("unmatched_clicks") <= 0
