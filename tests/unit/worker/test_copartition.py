"""Before the start: topics are made with as many partitions as what they go with, or the start says why they cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from streamapp.errors import StreamappError
from streamapp.formats.fields import Field
from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.topic_configs import Config
from streamapp.settings import Create, Settings
from streamapp.topology import App
from streamapp.worker.copartition import make_changelogs, make_inputs, make_outputs
from streamapp.worker.event_times import check_event_times
from streamapp.worker.inputs import check_inputs, check_sent_back, check_ways
from streamapp.worker.start import Start

NO_TOPICS: Mapping[str, int] = {}
NO_CONFIGS: Mapping[str, Config] = {}


class Broker(Cluster):
    """A cluster that is a dict of topics."""

    def __init__(self, settings: Settings, topics: Mapping[str, int], configs: Mapping[str, Config]) -> None:
        self.settings = settings
        self.topics = dict(topics)
        self._configs = configs
        self.altered: dict[str, Config] = {}

    def partitions(self) -> dict[str, int]:
        return dict(self.topics)

    def listed(self, names: Iterable[str]) -> dict[str, int]:
        return self.partitions()

    def configs(self, names: Iterable[str]) -> tuple[dict[str, Config], str]:
        return {name: self._configs.get(name, {}) for name in names}, ""

    def alter(self, name: str, config: Config) -> None:
        self.altered[name] = config

    def ensure(
        self,
        names: Sequence[str],
        *,
        partitions: int | None = None,
        config: Config | None = None,
        configs: Mapping[str, Config] = NO_CONFIGS,
        existing: dict[str, int] | None = None,
    ) -> dict[str, int]:
        known = [self.topics[name] for name in names if name in self.topics]
        count = partitions or next(iter(known), self.settings.partitions)
        self.topics = {**dict.fromkeys(names, count), **self.topics}
        found = {name: self.topics[name] for name in names}
        if existing is not None:
            existing |= found
        return found


def an_app(tmp_path: Path, *, create: Create = Create.MISSING, prefix: str = "") -> Any:
    settings = Settings(
        id="shop", datadir=tmp_path, store="memory://", partitions=3, create=create, topic_prefix=prefix
    )
    return App(settings, web_enabled=False)


def start_of(app: App, topics: Mapping[str, int] = NO_TOPICS, configs: Mapping[str, Config] = NO_CONFIGS) -> Start:
    start = Start(app)
    start.cluster = Broker(app.settings, topics, configs)
    return start


def made(start: Start) -> dict[str, int]:
    """Return the partitions of all topics, after those that are missing are made."""
    for check in (check_inputs, make_inputs, make_changelogs, make_outputs):
        check(start)
    return start.cluster.partitions()


def complaint(start: Start) -> str:
    with pytest.raises(StreamappError) as raised:
        made(start)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def a_join(tmp_path: Path, **options: Any) -> Any:
    app = an_app(tmp_path, **options)
    app.topic("orders").join(app.topic("customers").table(), name="pairs").to(app.sink("joined"))
    return app


def test_missing_topics_get_as_many_partitions_as_are_set(tmp_path: Path) -> None:
    topics = made(start_of(a_join(tmp_path)))
    assert {topics[name] for name in ("orders", "customers", "joined", "shop-pairs-changelog")} == {3}


def test_missing_topics_get_as_many_partitions_as_those_they_are_joined_with(tmp_path: Path) -> None:
    topics = made(start_of(a_join(tmp_path), {"customers": 7}))
    assert (topics["orders"], topics["joined"], topics["shop-pairs-changelog"]) == (7, 7, 7)


def test_joined_topics_with_different_numbers_of_partitions_are_refused(tmp_path: Path) -> None:
    told = complaint(start_of(a_join(tmp_path), {"orders": 4, "customers": 8}))
    assert "need equally many partitions, but customers has 8 and orders has 4; make the smaller one anew" in told


def test_joined_topics_that_were_even_before_are_told_to_begin_anew(tmp_path: Path) -> None:
    told = complaint(start_of(a_join(tmp_path), {"orders": 4, "customers": 8, "shop-pairs-changelog": 4}))
    assert "`streamapp reset` starts it anew" in told


def test_a_changelog_with_other_partitions_than_its_source_is_refused(tmp_path: Path) -> None:
    told = complaint(start_of(a_join(tmp_path), {"orders": 8, "customers": 8, "shop-pairs-changelog": 4}))
    assert "has 8 partitions, but the changelog shop-pairs-changelog has 4" in told


def test_rows_that_are_being_moved_keep_workers_from_starting(tmp_path: Path) -> None:
    told = complaint(start_of(a_join(tmp_path), {"shop-pairs-changelog-moving": 1}))
    assert "`streamapp repartition --execute` does the rest" in told


def test_what_is_written_once_more_gets_as_many_partitions_as_its_source(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    rekeyed = app.topic("orders").rekey(Field("customer_id"), name="customer_id")
    rekeyed.join(app.topic("customers").table()).to(app.sink("joined"))
    topics = made(start_of(app, {"orders": 5}))
    assert {name: count for name, count in topics.items() if name.endswith("-repartition")}.popitem()[1] == 5
    assert topics["customers"] == 5


def test_faust_s_own_tables_go_with_what_is_read_event_by_event(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    app.topic("batches", batches=True)
    words = app.topic("words", value_type=str)
    app.Table("counts", default=int)

    @app.agent(words)
    async def count(stream: Any) -> None:
        async for _ in stream:
            pass

    start = start_of(app, {"batches": 2, "words": 6})
    assert made(start)["shop-counts-changelog"] == 6
    assert app.conf.topic_partitions == 6


def test_a_missing_topic_is_refused_with_the_name_that_may_be_meant(tmp_path: Path) -> None:
    told = complaint(start_of(a_join(tmp_path, create=Create.NEVER), {"order": 4, "customers": 4}))
    assert told.startswith("there is no topic orders (did you mean order?) at ")
    assert "STREAMAPP_CREATE=missing" in told


def test_a_topic_that_is_named_with_its_prefix_is_told_to_be_named_without(tmp_path: Path) -> None:
    app = an_app(tmp_path, create=Create.NEVER, prefix="shop.")
    app.topic("shop.orders").join(app.topic("customers").table()).to(app.sink("joined"))
    told = complaint(start_of(app, {"shop.orders": 4, "shop.customers": 4}))
    meant = "did you mean orders, which STREAMAPP_TOPIC_PREFIX=shop. is put before already?"
    assert told.startswith(f"there is no topic shop.shop.orders ({meant}) at ")


def test_a_topic_that_is_made_is_told_with_the_name_that_may_be_meant(tmp_path: Path) -> None:
    app = a_join(tmp_path)
    made(start_of(app, {"order": 4, "customers": 4}))
    notes = "made the topic orders, which was not there; if order is meant, name that one, and delete this"
    assert (logging.WARNING, notes) in app.notes


def test_a_join_that_reads_what_it_sends_is_refused(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    app.topic("orders").join(app.topic("customers").table()).to(app.sink("orders"))
    with pytest.raises(StreamappError, match="reads orders and sends to it"):
        check_sent_back(start_of(app))


def test_a_topic_that_is_read_in_both_ways_is_refused_with_its_agent(tmp_path: Path) -> None:
    app = a_join(tmp_path)

    @app.agent(app.topic("orders", value_type=bytes))
    async def see(stream: Any) -> None:
        async for _ in stream:
            pass

    with pytest.raises(ClusterError, match=r"orders is read in batches, .* and event by event, by the agent .*see"):
        check_ways(start_of(app))


def checked(app: Any, changelogs: Iterable[str] = (), **configs: Config) -> Broker:
    start = start_of(app, configs=configs)
    start.changelogs = dict.fromkeys(changelogs, 1)
    check_event_times(start)
    assert isinstance(start.cluster, Broker)
    return start.cluster


def test_a_changelog_that_deletes_or_stamps_rows_anew_is_refused(tmp_path: Path) -> None:
    app = a_join(tmp_path)
    with pytest.raises(ClusterError, match="expired rows would join after a restore"):
        checked(app, ["pairs"], pairs={"message.timestamp.type": "LogAppendTime"})
    with pytest.raises(ClusterError, match=r"cleanup\.policy=delete, which deletes rows by their event times"):
        checked(app, ["pairs"], pairs={"cleanup.policy": "delete"})


def test_an_internal_topic_is_made_to_keep_what_was_not_processed(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    app.topic("orders").rekey(Field("customer_id"), name="customer_id")
    (internal,) = app.declared.internal
    kept = {"cleanup.policy": "delete", "retention.bytes": "-1"}
    assert checked(app, **{internal: {**kept, "retention.ms": "1000"}}).altered == {internal: {"retention.ms": "-1"}}


def test_an_input_with_the_broker_s_times_is_told(tmp_path: Path) -> None:
    app = a_join(tmp_path)
    checked(app, orders={"message.timestamp.type": "LogAppendTime"})
    assert [text for _, text in app.notes if text.startswith("orders has message.timestamp.type=LogAppendTime")]
