"""Input topics that do not exist: a name is misspelt more often than a topic is still to be made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.misspelt import meant
from streamapp.runtime.batch import BatchSchema
from streamapp.settings import PREFIX, Create, Settings
from streamapp.worker.base import BaseApp

__all__ = ["check_inputs", "check_ways"]

#: What the names of topics end with which workers make for themselves: nobody means to read them.
WORKERS_OWN: Final = ("-changelog", "-repartition", "-subscriptions", "-answers")


def check_inputs(app: BaseApp, cluster: Cluster) -> dict[str, int]:
    """Check that the topics which the app reads are there, as far as they are not to be made (``STREAMAPP_CREATE``).

    Args:
        app: it gets a note of each topic that is to be made.
        cluster: its topics; those that have to be there may be so new that the broker does not tell of them at once.

    Returns:
        the number of partitions of every topic that exists.

    Raises:
        ClusterError: if one is missing; it names those that may have been meant.
    """
    settings = app.settings
    read, internal = app.topics_read(), set(app.declared.internal)
    declared = dict.fromkeys(topic for together in app.joined_topics() for topic in together)
    needed = [topic for topic in declared if topic in read and topic not in internal and not _made(topic, app)]
    existing = cluster.listed(needed)
    if lacking := [topic for topic in needed if topic not in existing]:
        raise ClusterError(_lacking(lacking, settings, existing))
    for topic in [topic for topic in declared if topic not in existing and topic not in internal]:
        near = _near(topic, settings, existing)
        told = f"; if {_either(near)} is meant, name that one, and delete this" if near else ""
        app.note(f"made the topic {topic}, which was not there{told}")
    return existing


def check_ways(app: BaseApp) -> None:
    """Check that each topic goes to all its agents and joins in batches, or to all of them event by event.

    Raises:
        ClusterError: if one does not: those that read events would get batches.
    """
    in_batches = {topic for topic in app.topics_read() if topic in app.declared.inputs}
    if both := in_batches.intersection(app.event_topics()):
        (topic, *_) = sorted(both)
        name = topic.removeprefix(app.settings.topic_prefix)
        readers = [agent.name for agent in app.agents.values() if _is_read_by_event(topic, agent)]
        who = f"the agent {readers[0]}" if readers else "a stream"
        raise ClusterError(
            f"{topic} is read in batches, by a join or an agent, and event by event, by {who}: a topic goes to all in "
            f'one way; have {who} read app.topic("{name}", batches=True), or run it in an app of its own'
        )


def _is_read_by_event(topic: str, agent: Any) -> bool:
    return topic in getattr(agent.channel, "topics", ()) and not isinstance(agent.channel.schema, BatchSchema)


def _made(topic: str, app: BaseApp) -> bool:
    create = app.settings.create
    return create is Create.MISSING or (create is Create.OWN and topic in app.declared.own)


def _lacking(topics: Sequence[str], settings: Settings, existing: Collection[str]) -> str:
    each = []
    for topic in topics:
        near = _near(topic, settings, existing)
        each.append(topic + (f" (did you mean {_either(near)}?)" if near else ""))
    many = len(topics) > 1
    said = f"there {'are no topics' if many else 'is no topic'} {' and '.join(each)} at {settings.broker}"
    seen = ", or this user may not see it" if settings.uses_sasl or settings.ssl_certfile else ""
    return (
        f"{said}{seen}; {'they are' if many else 'it is'} read, and {'are' if many else 'is'} made only if asked for: "
        f"{PREFIX}CREATE=missing, or --create of streamapp join"
    )


def _near(topic: str, settings: Settings, existing: Collection[str]) -> list[str]:
    """Return the topics that may be meant."""
    names = [name for name in existing if not name.startswith("__") and not name.endswith(WORKERS_OWN)]
    prefix = settings.topic_prefix
    mine = [name for name in names if name.startswith(prefix)]
    own = [prefix + name for name in meant(topic.removeprefix(prefix), [name.removeprefix(prefix) for name in mine])]
    bare = topic.removeprefix(prefix)
    # The prefix itself may be wrong, or too much; if many topics are called so, they are other apps'.
    elsewhere = [
        name for name in names if name not in mine and (name == bare or name.endswith((f".{bare}", f"-{bare}")))
    ]
    return [*own, *(elsewhere if len(elsewhere) == 1 else [])]


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
