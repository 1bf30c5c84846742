"""A topic that is deleted and made anew under its name is another one: it is read from its beginning, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from topics import Topics
from worker import Worker, wait_until

USERS = 5
GUARANTEES = ["at_least_once", "exactly_once"]


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "anew", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(USERS))
    return topics


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_no_click_of_a_topic_that_is_made_anew_while_a_worker_runs_is_skipped(
    topics: Topics, tmp_path: Path, guarantee: str
) -> None:
    topics.clicks(range(50), users=USERS)
    with Worker(tmp_path / "worker", processing_guarantee=guarantee, **topics.settings) as worker:
        wait_until(lambda: len(topics.joined()) == 50, "the clicks are joined")
        wait_until(lambda: topics.committed("user_clicks") >= 50, "and committed")
        topics.delete("user_clicks")
        topic = f"{topics.prefix}user_clicks"
        wait_until(lambda: f"the topic {topic} is not there any more" in worker.log, "it is told that it is gone")
        assert worker.answers("/health/ready", 503)
        topics.create("user_clicks")
        topics.clicks(range(100, 200), users=USERS)
        wait_until(lambda: len(topics.joined()) == 150, "all of the new topic are joined, and once each")
        assert set(topics.joined().values()) == {1}
        assert f"{topic}[0]: the topic was deleted and made anew (id " in worker.log
        assert worker.answers("/health/ready", 200)


def test_no_click_is_skipped_of_a_topic_that_is_made_anew_at_once(topics: Topics, tmp_path: Path) -> None:
    topics.clicks(range(50), users=USERS)
    with Worker(tmp_path / "worker", **topics.settings):
        wait_until(lambda: len(topics.joined()) == 50, "the clicks are joined")
        topics.renew("user_clicks")
        topics.clicks(range(100, 200), users=USERS)
        wait_until(lambda: len(topics.joined()) == 150, "all of the new topic are joined")


@pytest.mark.parametrize("forgets", [True, False], ids=["broker forgets", "broker keeps the offset"])
def test_no_click_is_skipped_of_a_topic_that_was_made_anew_while_no_worker_ran(
    topics: Topics, tmp_path: Path, forgets: bool
) -> None:
    topics.clicks(range(50), users=USERS)
    with Worker(tmp_path / "worker", **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 50, "the clicks are committed")
        assert worker.terminate() == 0
    offset, metadata = topics.commit_of("user_clicks")
    topics.renew("user_clicks")
    topics.clicks(range(100, 200), users=USERS)
    # Kafka forgets what was committed of a topic that is deleted; other brokers, and a worker that lives on, do not.
    wait_until(lambda: topics.committed("user_clicks") == 0, "the broker has forgotten the offset")
    if not forgets:
        topics.commit("user_clicks", offset, metadata)
    with Worker(tmp_path / "worker", **topics.settings) as worker:
        wait_until(lambda: len(topics.joined()) == 150, "all of the new topic are joined")
        (problem,) = worker.wait_running().problems()
        assert "the topic was deleted and made anew" in problem
        assert "reading begins at 0 of the new one" in problem
        assert forgets or "after offset 50 of the old one" in problem


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_changelog_that_is_made_anew_has_all_rows_again(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    settings = {**topics.settings, "processing_guarantee": guarantee}
    with Worker(tmp_path / "worker", **settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        topics.renew_changelog("user_profiles")
        topics.profiles(range(USERS, USERS + 2))  # which are all that the new one gets by itself
        wait_until(lambda: len(topics.table("user_profiles")) == USERS + 2, "all rows are in the new changelog")
        assert "was deleted and made anew" in worker.log
        assert worker.terminate() == 0
        topics.renew_changelog("user_profiles")
    with Worker(tmp_path / "worker", **settings) as worker:  # and so at a start
        worker.wait_ready()
        assert len(topics.table("user_profiles")) == USERS + 2
        assert f"{topics.id}-user_profiles-changelog[0] has the rows again: 7" in worker.log
        assert worker.terminate() == 0
    with Worker(tmp_path / "another disk", **settings) as worker:
        worker.wait_ready()
        topics.clicks(range(7), users=7)
        wait_until(lambda: len(topics.joined()) == 7, "each click finds its profile")


def test_a_store_of_a_changelog_that_was_made_anew_gives_way_to_what_that_has_by_now(
    topics: Topics, tmp_path: Path
) -> None:
    with Worker(tmp_path / "old disk", **topics.settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == USERS, "the profiles are in the table")
        assert worker.terminate() == 0
    topics.renew_changelog("user_profiles")
    with Worker(tmp_path / "new disk", **topics.settings):
        topics.profiles(range(1))
        wait_until(lambda: len(topics.table("user_profiles")) == 1, "the table has another beginning")
    with Worker(tmp_path / "old disk", **topics.settings) as worker:
        worker.wait_ready()
        topics.clicks(range(USERS), users=USERS)
        wait_until(lambda: topics.end("unmatched_clicks") == USERS - 1, "the old rows are not there")
        assert "the changelog was deleted and made anew (id " in worker.log


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_table_that_is_lost_with_its_changelog_is_told(topics: Topics, tmp_path: Path, guarantee: str) -> None:
    settings = {**topics.settings, "processing_guarantee": guarantee}
    with Worker(tmp_path / "worker", **settings) as worker:
        wait_until(lambda: topics.committed("user_profiles") >= USERS, "the profiles are in the table")
        assert worker.terminate() == 0
    topics.delete(f"{topics.id}-user_profiles-changelog", full_name=True)
    with Worker(tmp_path / "another disk", **settings) as worker:
        worker.wait_running()
        (problem,) = worker.problems()
        assert problem in worker.log
    said = problem.replace(topics.id, "app")
    assert (
        "changelog app-user_profiles-changelog never had a row, though the group has read app.user_profiles[0]" in said
    )
    assert "if it was deleted, the rows of the table user_profiles are gone with it; `streamapp reset` begins" in said
