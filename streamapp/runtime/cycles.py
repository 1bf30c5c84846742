"""Where records go from topic to topic: a join that reads what it sends would never end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
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
    """Check that nothing in an app gets its own results, alone or mixed with other records; a FlowError if so."""
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

    The outputs of the declared joins (`flows`) may well be read by others.
    """
    joined = {topic for flow in flows for topic in (*flow.results, *flow.sides)}
    return sorted({topic for topic in outputs if topic in read and topic not in joined})


def _circle(flows: Sequence[Flow]) -> list[str]:
    """Return the topics of a way that leads back to where it began; empty = there is none."""
    before: dict[str, dict[str, None]] = {}
    for flow in flows:
        for topic in (*flow.results, *flow.sides):
            before.setdefault(topic, {}).update(dict.fromkeys(flow.inputs))
    try:
        TopologicalSorter(before).prepare()
    except CycleError as exc:
        circle: list[str] = exc.args[1]
        first = circle.index(min(circle))
        return [*circle[first:-1], *circle[: first + 1]]
    return []
