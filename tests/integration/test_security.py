"""Every client of ours shows the broker what it asks for, and shows nobody else; the views ask for a token."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from secure_kafka import PASSWORD, SecureKafka, secure_kafka
from topics import Topics
from worker import Worker, wait_until

TOKEN = "a-token-that-nobody-guesses"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
PRODUCE = ["produce", "--users", "10", "--clicks", "100", "--update-share", "0"]
VIEWS = ["/", "/assignment/", "/performance/", "/router/", "/graph/", "/table/", "/table/user_profiles/u1/", "/metrics"]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as kafka:
        yield kafka


def streamapp(*arguments: str, directory: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    environment |= {f"STREAMAPP_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "streamapp", *arguments],
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("protocol", "mechanism", "guarantee"),
    [
        ("SSL", "", "at_least_once"),
        ("SSL", "", "exactly_once"),
        ("SASL_PLAINTEXT", "PLAIN", "at_least_once"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-256", "at_least_once"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512", "at_least_once"),
        ("SASL_SSL", "PLAIN", "at_least_once"),
        ("SASL_SSL", "SCRAM-SHA-256", "exactly_once"),
        ("SASL_SSL", "SCRAM-SHA-512", "at_least_once"),
    ],
)
def test_clicks_are_produced_joined_and_the_table_is_read_again_by(
    secure: SecureKafka, tmp_path: Path, protocol: str, mechanism: str, guarantee: str
) -> None:
    topics = Topics(secure.plain, "secure", partitions=2)
    settings = {
        **topics.settings,
        **secure.settings(protocol, mechanism),
        "processing_guarantee": guarantee,
        "store": "memory://",
        "profile_ttl": 0,
    }
    # The worker first: the topics are made by it.
    with Worker(tmp_path, **settings) as worker:
        worker.wait_ready()
        produced = streamapp(*PRODUCE, directory=tmp_path, **settings)
        assert produced.returncode == 0, produced.stderr
        wait_until(lambda: topics.committed("user_clicks") == 100, "the clicks are joined")
        assert worker.terminate() == 0
        assert PASSWORD not in worker.log + produced.stdout + produced.stderr
    assert len(topics.read("joined_data")) + len(topics.read("unmatched_clicks")) == 100
    with Worker(tmp_path, **settings) as worker:
        worker.wait_ready()
        assert "2 table partitions, 10 changelog records read" in worker.log


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"sasl_password": "hunter2-but-wrong"}, "authentication"),
        ({"ssl_cafile": ""}, "certificate verify failed"),
    ],
)
def test_a_broker_that_cannot_be_used_is_told_in_one_line_without_the_password(
    secure: SecureKafka, tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    topics = Topics(secure.plain, "refused", partitions=1)
    topics.create("user_clicks", "user_profiles")
    settings = {**topics.settings, **secure.settings("SASL_SSL", "SCRAM-SHA-512"), **change}
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        (said,) = [said for said in worker.log.splitlines() if said.startswith("streamapp: ")]
    produced = streamapp("produce", "--clicks", "1", "--timeout", "5", directory=tmp_path, **settings)
    assert produced.returncode == 1
    for text in (said, produced.stderr):
        assert line in text.lower()
        assert "Traceback" not in text
    assert "hunter2" not in worker.log + produced.stdout + produced.stderr


def test_no_secret_is_in_the_log_not_even_with_debug_or_in_the_views(secure: SecureKafka, tmp_path: Path) -> None:
    topics = Topics(secure.plain, "secrets", partitions=1)
    topics.create("user_profiles", "user_clicks")
    topics.profiles([1])
    settings = {**topics.settings, **secure.settings("SASL_SSL", "PLAIN"), "web_token": TOKEN}
    with Worker(tmp_path, log_level="debug", **settings) as worker:
        wait_until(lambda: len(topics.table("user_profiles")) == 1, "the profile is in the table")
        worker.wait_ready()
        shown = [worker.get(path, headers=SHOWN) for path in VIEWS]
        assert [view.status for view in shown] == [200] * len(VIEWS)
        assert worker.terminate() == 0
    everything = worker.log + "".join(f"{view.headers}{view.body.decode()}" for view in shown)
    assert PASSWORD not in everything
    assert TOKEN not in everything


def test_with_a_token_only_who_shows_it_sees_more_than_the_health(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "token", partitions=2)
    topics.create("user_profiles", "user_clicks")
    topics.profiles(range(20))
    settings = {**topics.settings, "web_token": TOKEN}
    with Worker(tmp_path / "one", **settings) as one, Worker(tmp_path / "two", **settings) as two:
        wait_until(lambda: len(topics.table("user_profiles")) == 20, "the profiles are in the table")
        for worker in (one.wait_ready(), two.wait_ready()):
            for path in VIEWS:
                assert worker.get(path).status == 401
                assert worker.get(path, headers={"Authorization": "Bearer another-token-than-this"}).status == 401
            # Half of the keys are with the other worker, which gets the token too.
            for user in range(20):
                path = f"/table/user_profiles/u{user}/"
                wait_until(lambda p=path, w=worker: w.get(p, headers=SHOWN).status == 200, f"the worker gives {path}")


def test_views_that_other_machines_can_see_need_a_token(kafka, tmp_path: Path) -> None:
    topics = Topics(kafka.bootstrap, "open", partitions=1)
    with Worker(tmp_path, web_bind="0.0.0.0", **topics.settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code == 1
        (said,) = [said for said in worker.log.splitlines() if said.startswith("streamapp: ")]
    assert "set STREAMAPP_WEB_TOKEN, the same for all workers, or STREAMAPP_WEB_BIND=127.0.0.1" in said
    with Worker(tmp_path, web_bind="0.0.0.0", web_token=TOKEN, **topics.settings) as worker:
        worker.wait_ready()
