"""The snapshot: all that the page shows of a worker at one moment."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from streamapp import __version__
from streamapp.runtime.histogram import Histogram
from streamapp.runtime.samples import Made
from streamapp.runtime.waits import Wait, waits
from streamapp.topology import App
from streamapp.web.funnels import Funnel, SampleInfo, funnels_of
from streamapp.web.health import Health, health_of
from streamapp.web.panels import MakePanel, Panel
from streamapp.web.requests import shown
from streamapp.web.topology import Topology, topology_of
from streamapp.worker.consumer import running

__all__ = ["NewestResults", "Snapshot", "snapshot_of"]

#: Seconds after which a slow record is none of those that are told of.
LATELY_S: Final = 60.0


class SlowRecord(msgspec.Struct, frozen=True):
    """A record whose result was slow, how slow (s), when that was (ms), and where it is explained; "" = nowhere."""

    topic: str
    partition: int
    offset: int
    seconds: float
    at: int
    see: str


class Result(msgspec.Struct, frozen=True):
    """A result that the broker has: its key, event time (ms) and value, as people read them; long ones are cut."""

    key: str | None
    timestamp: int | None
    value: str | None

    @classmethod
    def of(cls, made: Made) -> Result:
        """Return that of a sample."""
        value = None if made.value is None else made.value.decode(errors="backslashreplace")
        return cls(None if made.key is None else shown(made.key), made.timestamp, value)


class Buckets(msgspec.Struct, frozen=True):
    """A histogram since the start: of each upper bound (s) how many values are in its bucket, and of none the last."""

    bounds: list[float]
    counts: list[int]
    #: The newest record in the slowest bucket that had one in the last minute; None = no single one is known.
    slow: SlowRecord | None

    @classmethod
    def of(cls, app: App, histogram: Histogram) -> Buckets:
        """Return that of a histogram."""
        since = time.time() - LATELY_S
        lately = {bucket: one for bucket, one in histogram.exemplars.items() if one.at >= since}
        slow = None
        if lately:
            one = lately[max(lately)]
            name = _explained_by(app, one.tp.topic)
            see = f"/joins/{name}/{one.tp.topic}/{one.tp.partition}/{one.offset}/" if name else ""
            slow = SlowRecord(*one.tp, one.offset, one.value, round(one.at * 1000), see)
        return cls(list(histogram.bounds), list(histogram.counts), slow)


class Commits(msgspec.Struct, frozen=True):
    """Commits since the start: how long they took, and how many failed, whose work is done again."""

    seconds: Buckets
    failed: int


class NewestResults(msgspec.Struct, frozen=True):
    """A topic that this worker sends to, how many records the broker has of it, and the newest ones."""

    topic: str
    sent: int
    #: From the event times of results until the broker had them.
    latency: Buckets
    results: list[Result]


class Snapshot(msgspec.Struct, frozen=True):
    """What ``/api/live`` sends once a second."""

    #: The wall clock (ms).
    time: int
    version: str
    app: str
    guarantee: str
    health: Health
    #: Records that the agents are done with since the start, by topic.
    read: dict[str, int]
    #: The number of partitions of each topic that is read, in the whole group.
    partitions: dict[str, int]
    topology: Topology
    funnels: list[Funnel]
    waits: list[Wait]
    #: Records that are fetched and wait, and batches that went although those that they are joined with had nothing.
    held: int
    enforced: int
    results: list[NewestResults]
    #: None = the worker is no member of its group yet.
    commits: Commits | None
    #: The newest records that went to the dead letters, the newest first.
    dead_letters: list[SampleInfo]
    panels: list[Panel]


def snapshot_of(app: App, panels: Iterable[MakePanel]) -> Snapshot:
    """Return what there is to show of a worker now."""
    read = sorted({*app.declared.inputs, *app.event_topics()})
    return Snapshot(
        time=time.time_ns() // 1_000_000,
        version=__version__,
        app=app.settings.id,
        guarantee=app.settings.processing_guarantee,
        health=health_of(app),
        read={topic: app.read[topic] for topic in read},
        partitions={topic: app.partition_counts[topic] for topic in read if topic in app.partition_counts},
        topology=topology_of(app),
        funnels=funnels_of(app),
        waits=[] if app.alignment is None else list(waits(app.alignment, time.monotonic())),
        held=app.held,
        enforced=app.enforced,
        results=[
            NewestResults(topic, sink.sent, Buckets.of(app, sink.latency), list(map(Result.of, sink.newest_shown())))
            for topic, sink in sorted(app.declared.sinks.items())
            if sink is not app.dead_letters
        ],
        commits=_commits(app),
        dead_letters=[
            SampleInfo.of(app, one, _explained_by(app, one.tp.topic)) for one in reversed(app.dead_letters.samples.all)
        ],
        panels=[make() for make in panels],
    )


def _commits(app: App) -> Commits | None:
    consumer = running(app)
    if consumer is None:
        return None
    return Commits(Buckets.of(app, consumer.checkpoint.seconds), consumer.checkpoint.failed)


def _explained_by(app: App, topic: str) -> str:
    """Return the name of a join that explains the records of a topic; "" = there is none."""
    return next((name for name, each in sorted(app.explainers.items()) if topic in each.topics), "")
