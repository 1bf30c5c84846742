"""Funnels: of the records that came into a join or a window, how many became what, by reason, with samples of them.

``received = matched + unmatched + pending + late + rejected``, as a `Balance` has it.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from operator import attrgetter
from typing import Final

import msgspec
from aiohttp import web
from faust.web.exceptions import NotFound

from streamapp.explain.explainer import Explainer
from streamapp.formats.keys import Keys
from streamapp.joins import Balance, Reason, Updates
from streamapp.runtime.samples import Sample, Samples
from streamapp.runtime.unmatched import UnmatchedOutput
from streamapp.topology import App, JoinProcessor
from streamapp.web.answers import answer
from streamapp.web.operations import Parameter, get
from streamapp.web.requests import APP, parameters, shown

__all__ = ["Cause", "Clock", "Funnel", "SampleInfo", "Since", "funnels_of", "operations"]


class Since(enum.StrEnum):
    """From when on a funnel counts."""

    #: The worker's start, as an agent that joins by hand has it.
    START = "start"
    #: The first record ever of the partitions that are here, as their state has it; reasons are since the start.
    EVER = "ever"


class Account(enum.StrEnum):
    """What a record that gave no result counts as."""

    UNMATCHED = "unmatched"
    LATE = "late"
    REJECTED = "rejected"


class Cause(msgspec.Struct, frozen=True):
    """How many records of a topic came to nothing for a reason, since the worker's start."""

    topic: str
    reason: str
    account: Account
    #: Whether they are updates of a table, which have accounts of their own.
    update: bool
    count: int


class Clock(msgspec.Struct, frozen=True):
    """Where a partition stands in event time (ms); None = nothing was read since the start."""

    partition: int
    #: That of the join, by which windows close.
    clock: int | None
    #: By topic, that of the record that was read last.
    read: dict[str, int | None]


class Funnel(msgspec.Struct, frozen=True):
    """What became of the records of a join, a window or another operator, on the partitions of this worker."""

    name: str
    #: What it is: join, window, operator, …
    noun: str
    topics: list[str]
    #: Whose records the balance and the updates are of, where that is of records from before the worker's start, too.
    partitions: list[int]
    since: Since
    balance: Balance
    #: Records that others are joined with; None = there are none.
    updates: Updates | None
    #: Whether the balance adds up; None = that cannot be told, since what matched is not counted: it is all the rest.
    holds: bool | None
    causes: list[Cause]
    clocks: list[Clock]
    #: Whether ``/joins/{name}/…`` explains its records.
    explained: bool


class SampleInfo(msgspec.Struct, frozen=True):
    """A record that came to nothing, and where it is explained; "" = there is no such place."""

    topic: str
    partition: int
    offset: int
    key: str | None
    timestamp: int | None
    reason: str
    detail: str
    see: str

    @classmethod
    def of(cls, app: App, one: Sample, name: str) -> SampleInfo:
        """Return that of a sample of a join."""
        see = f"/joins/{name}/{one.tp.topic}/{one.tp.partition}/{one.offset}/" if name and one.offset >= 0 else ""
        keys = _keys(app, one.tp.topic)
        key = one.key_text(None if keys is None else keys.text)
        return cls(*one.tp, one.offset, None if key is None else shown(key), one.timestamp, one.reason, one.detail, see)


#: What is no reason of records that came to nothing.
COUNTED: Final = frozenset({Reason.PARTLY_LATE})


def funnels_of(app: App) -> list[Funnel]:
    """Return the funnels of all joins, windows and operators of an app, and of what its agents join by hand."""
    by_hand = (each for name, each in sorted(app.explainers.items()) if not isinstance(each.join, JoinProcessor))
    return [*(_by_hand(app, each) for each in by_hand), *(_declared(app, join) for join in app.joins)]


def _declared(app: App, join: JoinProcessor[object]) -> Funnel:
    accounts = join.partitions
    balance, updates = Balance(), Updates()
    for account in accounts.values():
        _add(balance, account.balance)
        _add(updates, account.updates)
    updated = {each.topic for each in join.inputs if each.source in join.join.tables}
    causes = [
        Cause(topic, reason, _account(reason, update), update, count)
        for (topic, reason), count in join.side_outputs.counts.items()
        if reason not in COUNTED
        for update in [topic in updated]
    ]
    clocks = {number: account.clock for number, account in accounts.items()}
    return Funnel(
        name=join.name,
        noun=join.noun,
        topics=list(join.topics),
        partitions=list(accounts),
        since=Since.EVER,
        balance=balance,
        updates=updates if updates.received or updated else None,
        holds=balance.holds and updates.holds,
        causes=_sorted(causes),
        clocks=list(_clocks(app, join.topics, clocks)),
        explained=join.name in app.explainers,
    )


def _by_hand(app: App, explainer: Explainer) -> Funnel:
    """Return the funnel of what an agent does by hand: what it neither set aside nor rejected is taken for matched."""
    first, *others = [each.topic for each in sorted(explainer.join.inputs, key=attrgetter("source"))]
    unmatched = sum((sink.counts for sink in _unmatched(app)), Counter())
    causes = [Cause(topic, reason, Account.UNMATCHED, False, count) for (topic, reason), count in unmatched.items()]
    causes += [
        Cause(topic, reason, Account.REJECTED, topic in others, count)
        for (topic, reason), count in app.dead_letters.counts.items()
    ]
    causes = [cause for cause in causes if cause.topic in explainer.topics]
    totals = Counter[tuple[Account, bool]]()
    for cause in causes:
        totals[cause.account, cause.update] += cause.count
    rejected, missed = totals[Account.REJECTED, False], totals[Account.UNMATCHED, False]
    # What is being worked on is rejected already, and not read yet.
    received = max(app.read[first], rejected + missed)
    read, refused = sum(app.read[topic] for topic in others), totals[Account.REJECTED, True]
    updates = Updates(received=max(read, refused), applied=max(0, read - refused), rejected=refused)
    return Funnel(
        name=explainer.join.name,
        noun="agent",
        topics=explainer.topics,
        partitions=[],
        since=Since.START,
        balance=Balance(received=received, matched=received - rejected - missed, unmatched=missed, rejected=rejected),
        updates=updates if others else None,
        holds=None,
        causes=_sorted(causes),
        clocks=list(_clocks(app, explainer.topics, {})),
        explained=True,
    )


def _unmatched(app: App) -> Iterator[UnmatchedOutput]:
    return (sink for sink in app.declared.sinks.values() if isinstance(sink, UnmatchedOutput))


def _account(reason: Reason, update: bool) -> Account:
    if reason is Reason.LATE:
        return Account.LATE
    missed = reason in {Reason.UNMATCHED, Reason.EXPIRED} and not update
    return Account.UNMATCHED if missed else Account.REJECTED


def _add(total: Balance | Updates, one: Balance | Updates) -> None:
    for name, count in msgspec.structs.asdict(one).items():
        setattr(total, name, getattr(total, name) + count)


def _sorted(causes: Iterable[Cause]) -> list[Cause]:
    return sorted(causes, key=lambda cause: (-cause.count, cause.topic, cause.reason))


def _clocks(app: App, topics: Iterable[str], clocks: Mapping[int, int | None]) -> Iterator[Clock]:
    read: dict[int, dict[str, int | None]] = {number: dict.fromkeys(topics) for number in clocks}
    for tp, seconds in app.read_up_to.items():
        if tp.topic in set(topics) and app.assignor.is_active(tp):
            read.setdefault(tp.partition, dict.fromkeys(topics))[tp.topic] = round(seconds * 1000)
    return (Clock(number, clocks.get(number), times) for number, times in sorted(read.items()))


async def funnels(request: web.Request) -> web.Response:
    """Tell what became of the records of each join, window and operator."""
    return answer(funnels_of(request.app[APP]))


async def samples(request: web.Request) -> web.Response:
    """Give the newest records of a topic that came to nothing for a reason: ``?topic=…&reason=…``."""
    app, name, given = request.app[APP], request.match_info["name"], parameters(request)
    topic, reason = (given.get(each, b"").decode(errors="replace") for each in ("topic", "reason"))
    found = [one for kept in _samples(app, name) for one in kept.of(topic, reason)]
    return answer([SampleInfo.of(app, one, name if name in app.explainers else "") for one in found])


def _keys(app: App, topic: str) -> Keys | None:
    """Return what the keys of a topic are written as, as it is declared or as an agent reads it; None = text."""
    inputs = (each for explainer in app.explainers.values() for each in explainer.join.inputs)
    found = (each.keys for each in inputs if each.topic == topic and each.keys is not None)
    return app.declared.keys(topic) or next(found, None)


def _samples(app: App, name: str) -> list[Samples]:
    join = next((join for join in app.joins if join.name == name), None)
    if join is not None:
        return [join.side_outputs.samples]
    if name in app.explainers:
        return [app.dead_letters.samples, *(sink.samples for sink in _unmatched(app))]
    raise NotFound("unknown join", name=name)


operations = [
    get("/api/funnels", funnels, answers=(list[Funnel],)),
    get(
        "/api/funnels/{name}/samples",
        samples,
        answers=(list[SampleInfo],),
        parameters=(Parameter("topic", "that the records are from"), Parameter("reason", "why they came to nothing")),
        errors=(HTTPStatus.NOT_FOUND,),
    ),
]
