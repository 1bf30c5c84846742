"""Input topics before the start: read in one way, sent to by none of their readers, and there.

A name is misspelt more often than a topic is still to be made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from streamapp.kafka.admin import ClusterError
from streamapp.misspelt import meant
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.cycles import check_flows, returning
from streamapp.settings import PREFIX, Create, Settings
from streamapp.worker.app import App
from streamapp.worker.start import Start

__all__ = ["check_inputs", "check_sent_back", "check_ways"]

#: What the names of topics end with which workers make for themselves: nobody means to read them.
WORKERS_OWN: Final = ("-changelog", "-repartition", "-subscriptions", "-answers")


def check_sent_back(start: Start) -> None:
    """Check that no join gets again what it sends; of agents, of which only they know it, there is a note.

    Raises:
        FlowError: if one does.
    """
    app = start.app
    flows, outputs = app.flows(), app.declared.sinks.keys() - {app.dead_letters.topic}
    check_flows(flows, app.dead_letters.topic)
    for topic in returning(flows, outputs, app.topics_read()):
        app.note(
            f"{topic} is read and is an output, too: an agent that sends to what it reads gets that again, without end"
        )


def check_ways(start: Start) -> None:
    """Check that each topic goes to all its agents and joins in batches, or to all of them event by event.

    Raises:
        ClusterError: if one does not: those that read events would get batches.
    """
    app = start.app
    for topic in sorted(app.topics_read() & app.declared.inputs.keys() & set(app.event_topics())):
        name = topic.removeprefix(app.settings.topic_prefix)
        by_event = [one for one in app.channels() if topic in one.topics and not isinstance(one.schema, BatchSchema)]
        readers = [agent.name for agent in app.agents.values() if agent.channel in by_event]
        who = f"the agent {readers[0]}" if readers else "a stream"
        raise ClusterError(
            f"{topic} is read in batches, by a join or an agent, and event by event, by {who}: a topic goes to all in "
            f'one way; have {who} read app.topic("{name}", batches=True), or run it in an app of its own'
        )


def check_inputs(start: Start) -> None:
    """Check that the topics which the app reads are there, as far as they are not to be made (``STREAMAPP_CREATE``).

    Those that have to be there may be so new that the broker does not tell of them at once.

    Raises:
        ClusterError: if one is missing; it names those that may have been meant.
    """
    app = start.app
    read, internal = app.topics_read(), app.declared.internal.keys()
    declared = dict.fromkeys(topic for together in app.joined_topics() for topic in together if topic not in internal)
    needed = [topic for topic in declared if topic in read and not _made(topic, app)]
    existing = start.existing = start.cluster.listed(needed)
    if lacking := [topic for topic in needed if topic not in existing]:
        raise ClusterError(_lacking(lacking, app.settings, existing))
    for topic in [topic for topic in declared if topic not in existing]:
        near = " or ".join(_near(topic, app.settings, existing))
        told = f"; if {near} is meant, name that one, and delete this" if near else ""
        app.note(f"made the topic {topic}, which was not there{told}")


def _made(topic: str, app: App) -> bool:
    create = app.settings.create
    return create is Create.MISSING or (create is Create.OWN and topic in app.declared.own)


def _lacking(topics: Sequence[str], settings: Settings, existing: Collection[str]) -> str:
    each = []
    for topic in topics:
        near = " or ".join(_near(topic, settings, existing))
        each.append(f"{topic} (did you mean {near}?)" if near else topic)
    there, they, are = ("are no topics", "they", "are") if len(topics) > 1 else ("is no topic", "it", "is")
    seen = ", or this user may not see it" if settings.uses_sasl or settings.ssl_certfile else ""
    return (
        f"there {there} {' and '.join(each)} at {settings.broker}{seen}; {they} {are} read, and {are} made only if "
        f"asked for: {PREFIX}CREATE=missing, or --create of streamapp join"
    )


def _near(topic: str, settings: Settings, existing: Collection[str]) -> list[str]:
    names = [name for name in existing if not name.startswith("__") and not name.endswith(WORKERS_OWN)]
    prefix = settings.topic_prefix
    bare = topic.removeprefix(prefix)
    if bare.startswith(prefix) and bare in existing:
        return [f"{bare.removeprefix(prefix)}, which {PREFIX}TOPIC_PREFIX={prefix} is put before already"]
    mine = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    # The prefix itself may be wrong, or too much; if many topics are called so, they are other apps'.
    elsewhere = [
        name
        for name in names
        if not name.startswith(prefix) and (name == bare or name.endswith((f".{bare}", f"-{bare}")))
    ]
    return [*(prefix + name for name in meant(bare, mine)), *(elsewhere if len(elsewhere) == 1 else [])]
