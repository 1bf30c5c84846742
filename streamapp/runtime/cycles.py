"""Where records go from topic to topic: a join that reads what it sends would never end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from streamapp.errors import StreamappError

__all__ = ["Flow", "FlowError", "check_flows", "returning"]


class FlowError(StreamappError):
    """Topics that are read and sent to in a way that cannot be; the text is one line that says why."""


class Flow(NamedTuple):
    """From which topics something reads, and to which it sends; by their full names."""

    name: str
    inputs: Sequence[str]
    #: The topics of its results.
    results: Sequence[str]
    #: Those of records that are not matched.
    sides: Sequence[str] = ()


def check_flows(flows: Sequence[Flow], dead_letters: str) -> None:
    """Check that nothing gets its own results again, and that they are not mixed with other records.

    Args:
        flows: those of the app.
        dead_letters: the topic of the dead letters.

    Raises:
        FlowError: if so.
    """
    for flow in flows:
        for topic in flow.results:
            if topic in flow.sides or topic == dead_letters:
                kind = "records that are not matched" if topic in flow.sides else "dead letters"
                raise FlowError(f"{flow.name} sends both its results and {kind} to {topic}: name two topics")
        if common := sorted({*flow.inputs} & {*flow.results, *flow.sides}):
            raise FlowError(
                f"{flow.name} reads {common[0]} and sends to it, and so would get again what it sends, without end: "
                "name another topic to send to"
            )
    if circle := _circle(flows):
        raise FlowError(
            f"what is sent comes back without end, {' → '.join(circle)}: name another topic to send to, or to read"
        )


def returning(flows: Sequence[Flow], outputs: Iterable[str], read: Collection[str]) -> list[str]:
    """Return the topics that are read and are outputs of agents: whether one gets what it sends, only they know.

    Args:
        flows: those of the declared joins, whose outputs other agents may well read.
        outputs: the topics that results are sent to.
        read: those that are read.
    """
    joined = {topic for flow in flows for topic in (*flow.results, *flow.sides)}
    return sorted({topic for topic in outputs if topic in read and topic not in joined})


def _circle(flows: Sequence[Flow]) -> list[str]:
    """Return the topics of a way that leads back to where it began; empty = there is none."""
    after: dict[str, set[str]] = {}
    for flow in flows:
        for topic in flow.inputs:
            after.setdefault(topic, set()).update(flow.results, flow.sides)
    done: set[str] = set()

    def search(way: list[str]) -> list[str]:
        for topic in sorted(after.get(way[-1], ())):
            if topic in way:
                return [*way[way.index(topic) :], topic]
            if topic not in done and (found := search([*way, topic])):
                return found
        done.add(way[-1])
        return []

    return next((found for topic in sorted(after) if topic not in done and (found := search([topic]))), [])
