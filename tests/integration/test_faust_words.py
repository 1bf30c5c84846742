"""Faust's own words do what Faust's documentation says, event by event, on our App."""

from __future__ import annotations

from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

PREFIXED = pytest.mark.parametrize("prefix", [True, False], ids=["prefix", "no-prefix"])


@pytest.fixture
def topics(kafka) -> Topics:
    return Topics(kafka.bootstrap, "faust-words")


def counted(worker: Worker, table: str, key: str) -> int:
    answer = worker.answers(f"/table/{table}/{key}/")
    return 0 if answer is None else answer.json()


def test_fausts_word_count_counts_words(topics: Topics, tmp_path: Path) -> None:
    with Worker(tmp_path, app="word_count_app", **topics.settings).wait_ready() as worker:
        for word in ("the", "quick", "brown"):
            wait_until(lambda word=word: counted(worker, "word_counts", word) == 1000, f"{word} is counted")
            assert worker.get(f"/count/{word}/").json() == {word: 1000}
        worker.terminate()


def test_fausts_page_views_count_on_after_a_kill(topics: Topics, tmp_path: Path) -> None:
    topics.create("page_views")
    for number in range(100):
        topics.send("page_views", None, {"id": f"p{number % 5}", "user": f"u{number}"})
    topics.flush()
    with Worker(tmp_path, app="page_views_app", **topics.settings).wait_ready() as worker:
        for page in range(5):
            wait_until(lambda page=page: counted(worker, "page_views", f"p{page}") == 20, f"p{page} is counted")
        wait_until(lambda: topics.committed("page_views") == 100, "all is committed")
    for number in range(50):
        topics.send("page_views", None, {"id": f"p{number % 5}", "user": f"u{number}"})
    topics.flush()
    with Worker(tmp_path / "elsewhere", app="page_views_app", **topics.settings).wait_ready() as worker:
        for page in range(5):
            wait_until(lambda page=page: counted(worker, "page_views", f"p{page}") == 30, f"p{page} is counted on")
