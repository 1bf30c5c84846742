"""The topology as a picture: topics, joins, windows and agents in layers, with how many records went along each arrow.

What is declared is known before the first record. Which topics an agent by hand sends to shows once it does.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from statistics import mean
from typing import Final, NamedTuple

import msgspec
from aiohttp import web
from faust.types import TopicT

from streamapp.runtime.cycles import Flow
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.unmatched import UnmatchedOutput
from streamapp.topology import App
from streamapp.topology.global_table import GlobalJoin
from streamapp.web.answers import answer
from streamapp.web.operations import get
from streamapp.web.requests import APP
from streamapp.worker.growth import REPARTITIONING
from streamapp.worker.table import Table

__all__ = ["Edge", "Kind", "Node", "Topology", "operations", "topology_of"]


class Kind(enum.StrEnum):
    """What is at an end of an arrow."""

    TOPIC = "topic"
    TABLE = "table"
    #: An agent that a user wrote.
    AGENT = "agent"
    #: What is declared: a join, a window, another operator, or steps without a state.
    OPERATOR = "operator"


class Way(enum.StrEnum):
    """What goes along an arrow."""

    INPUT = "input"
    RESULT = "result"
    #: Records that came to nothing.
    SIDE = "side"
    #: What is written and looked up within the worker: the rows of a table, what an operator by hand gives.
    ROWS = "rows"


class Node(msgspec.Struct, frozen=True):
    """A box of the picture: in which layer it is, from the left, and in which row of it, from the top."""

    id: str
    kind: Kind
    name: str
    #: What an operator is called: join, window, …
    noun: str
    layer: int
    row: float


class Edge(msgspec.Struct, frozen=True):
    """An arrow, and how many records went along it since the worker's start; None = that is not counted.

    What is sent is counted by the topic whose records gave it: of two that read one topic and send to one topic, each
    arrow has what both sent.
    """

    source: str
    target: str
    way: Way
    count: int | None


class Topology(msgspec.Struct, frozen=True):
    """What ``/api/topology`` answers."""

    nodes: list[Node]
    edges: list[Edge]


class _Box(NamedTuple):
    """What reads topics and sends to topics."""

    kind: Kind
    name: str
    noun: str
    inputs: tuple[str, ...]
    results: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()


class _Arrow(NamedTuple):
    source: str
    target: str
    way: Way


class _Place(NamedTuple):
    layer: int
    row: float


#: What the agents of declared joins are named like.
JOINS: Final = "streamapp.joins."
#: How often the boxes of each layer are put in the order of those that they have arrows from and to.
SWEEPS: Final = 4


def topology_of(app: App) -> Topology:
    """Return the topology of an app, with what went through it since the worker's start."""
    outputs = {**app.declared.internal, **app.declared.sinks}
    boxes = {f"{box.noun}:{box.name}": box for box in (*_declared(app), *_agents(app, outputs))}
    topics: dict[str, str] = {}
    counts: dict[_Arrow, int | None] = {}
    for box_id, box in boxes.items():
        for topic in box.inputs:
            topics[f"topic:{topic}"] = topic
            counts[_Arrow(f"topic:{topic}", box_id, Way.INPUT)] = app.read[topic]
        for way, sent in ((Way.RESULT, box.results), (Way.SIDE, box.sides)):
            for topic in sent:
                topics[f"topic:{topic}"] = topic
                sources = outputs[topic].sources if topic in outputs else Counter[str]()
                counts[_Arrow(box_id, f"topic:{topic}", way)] = sum(sources[one] for one in box.inputs)
    counts.update(dict.fromkeys(_rows(app, boxes)))
    nodes = []
    for name, place in _places(tuple(counts), f"topic:{app.dead_letters.topic}").items():
        if (found := boxes.get(name)) is not None:
            nodes.append(Node(name, found.kind, found.name, found.noun, *place))
        else:
            kind, shown = (Kind.TOPIC, topics[name]) if name in topics else (Kind.TABLE, name.partition(":")[2])
            nodes.append(Node(name, kind, shown, kind.value, *place))
    return Topology(nodes, [Edge(*arrow, count) for arrow, count in counts.items()])


def _declared(app: App) -> Iterator[_Box]:
    """Go through what is declared."""
    for join in app.joins:
        inputs = list(join.topics)
        if isinstance(join.join, GlobalJoin):
            inputs.append(join.join.table.topic)
        sides = dict.fromkeys([*join.flow.sides, *_dead_letters(app, join.topics)])
        yield _Box(Kind.OPERATOR, join.name, join.noun, tuple(inputs), tuple(join.flow.results), tuple(sides))
    for flow in _steps(app):
        sides = dict.fromkeys([*flow.sides, *_dead_letters(app, flow.inputs)])
        yield _Box(Kind.OPERATOR, flow.name, "steps", tuple(flow.inputs), tuple(flow.results), tuple(sides))


def _steps(app: App) -> list[Flow]:
    """Return the flows of declared steps; an agent by hand may send on, too, to a hop, and has a box of its own."""
    declared = [agent.channel for name, agent in app.agents.items() if name.startswith(REPARTITIONING)]
    read = {topic for channel in declared for topic in getattr(channel, "topics", ())}
    return [flow for flow in app.repartitions if read.issuperset(flow.inputs)]


def _agents(app: App, outputs: Mapping[str, Output]) -> Iterator[_Box]:
    """Go through the agents that a user wrote, with the topics that they were seen to send to."""
    flows = [*(join.flow for join in app.joins), *_steps(app)]
    declared = {topic for flow in flows for topic in (*flow.results, *flow.sides)}
    for name, agent in app.agents.items():
        channel = agent.channel
        if name.startswith((JOINS, REPARTITIONING)) or not isinstance(channel, TopicT):
            continue
        topics = tuple(channel.topics)
        seen = [name for name, one in outputs.items() if name not in declared and _is_fed(one, topics)]
        sides = [name for name in seen if isinstance(outputs[name], UnmatchedOutput | DeadLetters)]
        results = tuple(name for name in seen if name not in sides)
        yield _Box(Kind.AGENT, name.rpartition(".")[2], "agent", topics, results, tuple(sides))


def _is_fed(output: Output, topics: Iterable[str]) -> bool:
    return not output.sources.keys().isdisjoint(topics)


def _dead_letters(app: App, topics: Iterable[str]) -> list[str]:
    return [app.dead_letters.topic] if _is_fed(app.dead_letters, topics) else []


def _rows(app: App, boxes: Mapping[str, _Box]) -> Iterator[_Arrow]:
    """Go through the arrows of what agents write and look up: tables, and operators that they run by hand."""
    by_hand = {f"{join.noun}:{join.name}": join.topics for join in app.joins if join.sink is None}
    for box_id, box in boxes.items():
        if box.kind is Kind.AGENT:
            yield from (_Arrow(name, box_id, Way.ROWS) for name, topics in by_hand.items() if topics == box.inputs)
    for table in app.tables.values():
        if isinstance(table, Table) and table.owner is None:
            for box_id, box in boxes.items():
                if box.kind is Kind.AGENT and table.source in box.inputs:
                    yield _Arrow(box_id, f"table:{table.name}", Way.ROWS)
                elif box.kind is Kind.AGENT and not table.readers.isdisjoint(box.inputs):
                    yield _Arrow(f"table:{table.name}", box_id, Way.ROWS)


@lru_cache(maxsize=8)
def _places(arrows: tuple[_Arrow, ...], apart: str) -> Mapping[str, _Place]:
    """Lay boxes out in layers: what belongs together side by side, one such part below the other.

    Args:
        arrows: between the boxes.
        apart: a box that is below all, since all may lead to it.
    """
    before = _without_circles(arrows)
    places: dict[str, _Place] = {}
    top = 0.0
    for part in _parts(before, apart):
        layers = _layers({name: before.get(name, set()) & part for name in part})
        height = max(map(len, layers))
        for layer, names in enumerate(layers):
            for row, name in enumerate(names):
                places[name] = _Place(layer, top + row + (height - len(names)) / 2)
        top += height
    if apart in before:
        places[apart] = _Place(max(place.layer for place in places.values()), top)
    return places


def _parts(before: Mapping[str, set[str]], apart: str) -> list[set[str]]:
    """Return the boxes that are connected, other than by one that is apart, for each such part, the largest first."""
    part_of: dict[str, set[str]] = {}
    for name, others in before.items():
        for one in (name, *others):
            part_of.setdefault(one, {one})
        for one in others if name != apart else ():
            part = part_of[name] | part_of[one]
            part_of.update(dict.fromkeys(part, part))
    parts = {min(part): part for name, part in part_of.items() if name != apart}
    return sorted(parts.values(), key=lambda part: (-len(part), min(part)))


def _layers(before: Mapping[str, set[str]]) -> list[list[str]]:
    """Put boxes into layers, each behind all that it has arrows from, with few arrows that cross (Sugiyama's way)."""
    layer: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        layer[name] = 1 + max((layer[one] for one in before[name]), default=-1)
    behind: dict[str, set[str]] = {name: {one for one in before if name in before[one]} for name in before}
    for name in [name for name in layer if not before[name] and behind[name]]:
        layer[name] = min(layer[one] for one in behind[name]) - 1
    layers: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for name, number in sorted(layer.items()):
        layers[number].append(name)
    row = {name: place for names in layers for place, name in enumerate(names)}
    for sweep in range(SWEEPS):
        near = behind if sweep % 2 else before
        for names in reversed(layers) if sweep % 2 else layers:
            wanted = {name: mean(row[one] for one in near[name]) if near[name] else row[name] for name in names}
            names.sort(key=wanted.__getitem__)
            row.update({name: place for place, name in enumerate(names)})
    return layers


def _without_circles(arrows: Iterable[_Arrow]) -> dict[str, set[str]]:
    """Return, of each box, those before it; of arrows that make a circle, without the last one."""
    before: dict[str, set[str]] = {}
    for arrow in arrows:
        before.setdefault(arrow.target, set()).add(arrow.source)
        try:
            TopologicalSorter(before).prepare()
        except CycleError:
            before[arrow.target].discard(arrow.source)
    return before


async def topology(request: web.Request) -> web.Response:
    """Give the topology."""
    return answer(topology_of(request.app[APP]))


operations = [
    get("/api/topology", topology, answers=(Topology,)),
]
