"""Partitions that are added to topics: which ones may get some while workers run, and what to do about the others.

A key is in another partition then. What was kept for it, in the partition of a table, is where it was: a record of the
new partition would find nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streamapp.worker.app import App
from streamapp.worker.table import OrderedTable

__all__ = ["REPARTITIONING", "advice", "free_topics", "moving_to"]

#: What the names of the agents begin with that only send records on, by other keys.
REPARTITIONING: Final = "streamapp.repartition."


def moving_to(changelog: str) -> str:
    """Return the name of the topic that is there while the rows of a changelog are moved to other partitions."""
    return f"{changelog}-moving"


def free_topics(app: App) -> set[str]:
    """Return the input topics whose partitions matter to nothing that is kept: those of agents without any table."""
    groups = [*app.merges(), *(group for group in app.joined_topics() if len(group) > 1)]
    alone = app.declared.inputs.keys() - {topic for group in groups for topic in group}
    if not app.tables:
        return alone
    kept = {
        topic
        for agent in app.agents.values()
        if not agent.name.startswith(REPARTITIONING)
        for topic in getattr(agent.channel, "topics", ())
    }
    return alone - kept


def advice(app: App, counts: Mapping[str, int]) -> str:
    """Return what to do about topics that have these many partitions now."""
    if any(isinstance(table, OrderedTable) for table in app.tables.values()):
        return (
            "the state of a join or of windows cannot be moved: with all workers stopped, `streamapp reset` starts it "
            "anew"
        )
    inputs = {count for topic, count in counts.items() if topic in app.declared.inputs}
    added = f" --partitions {max(inputs)}" if len(inputs) > 1 else ""
    return (
        f"with all workers stopped, `streamapp repartition{added}` shows how to move the rows to the partitions where "
        "their keys are now, and with --execute does it"
    )
