"""Nothing is processed twice by workers that come and go in order: each record is counted exactly once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from topics import Topics
from worker import Worker, wait_until

KEYS, INCREMENTS, SCALINGS = 100, 30_000, 10


class Steady:
    """Sends increments at a steady pace, until it is told that nobody waits for more: then the rest at once.

    Args:
        topics: where to.
        pace: records a second.
    """

    def __init__(self, topics: Topics, pace: int) -> None:
        self.sent: Counter[str] = Counter()
        self._topics = topics
        self._pace = pace
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        start = time.monotonic()
        for number in range(INCREMENTS):
            self._hurry.wait(start + number / self._pace - time.monotonic())
            key = f"k{number % KEYS}"
            self._topics.send("user_clicks", key, b"+1")
            self.sent[key] += 1
        self._topics.flush()

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._hurry.set()
            self._thread.join()


def owns_partitions(worker: Worker, topics: Topics) -> bool:
    return bool(worker.answers("/health/ready") and worker.assigned().get(f"{topics.prefix}user_clicks"))


def test_ten_scale_outs_and_scale_ins_count_each_record_exactly_once(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "counting")
    topics.create("user_clicks", "user_profiles")
    increments = Steady(topics, pace=1_500)
    with Worker(tmp_path / "stays", app="counting_app", **topics.settings) as stays:
        stays.wait_ready()
        with increments.sending():
            for number in range(SCALINGS):
                with Worker(tmp_path / f"{number}", app="counting_app", **topics.settings) as comes_and_goes:
                    wait_until(lambda worker=comes_and_goes: owns_partitions(worker, topics), "it has partitions")
                    assert comes_and_goes.terminate() == 0
        wait_until(lambda: topics.committed("user_clicks") == INCREMENTS, "all increments are committed")
        assert stays.terminate() == 0
    counts = {key.decode(): int(count) for key, count in topics.table("counts").items()}
    assert sum(counts.values()) == INCREMENTS
    assert counts == increments.sent
