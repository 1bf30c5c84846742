"""Health: whether the worker lives, and whether it is ready to answer for its partitions."""

from __future__ import annotations

import enum
from collections import defaultdict
from http import HTTPStatus

import msgspec
from aiohttp import web

from streamapp.topology import App
from streamapp.web.answers import answer
from streamapp.web.operations import get, post
from streamapp.web.requests import APP

__all__ = ["Acknowledged", "Health", "State", "health_of", "operations", "state_of"]


class State(enum.StrEnum):
    """What a worker is busy with."""

    #: Not yet a member of the consumer group.
    STARTING = "starting"
    #: Waits for its partitions.
    ASSIGNING = "assigning"
    #: Has its partitions and brings their tables up to date.
    RECOVERING = "recovering"
    #: All tables are up to date, and the agents run.
    READY = "ready"
    #: Stops, or has crashed.
    STOPPING = "stopping"


class Health(msgspec.Struct, frozen=True):
    """What ``/health`` answers."""

    #: The URL by which other workers know this one.
    worker: str
    #: Its static member id, by which a second worker that has the same is told.
    member: str
    live: bool
    ready: bool
    state: State
    #: The partitions that this worker owns, by topic.
    assigned: dict[str, list[int]]
    #: What is wrong although it runs, such as records that were lost unread; then it is not ready.
    problems: list[str]


class Acknowledged(msgspec.Struct, frozen=True):
    """What ``/health/acknowledge`` answers: the problems that there were."""

    acknowledged: list[str]


def state_of(app: App) -> State:
    """Return what a worker is busy with; `READY` = its partitions are assigned and recovered."""
    if app.should_stop or app.crashed:
        return State.STOPPING
    if app.in_recovery:
        return State.RECOVERING
    if app.rebalancing:
        return State.ASSIGNING
    return State.READY if app.tables.actives_ready else State.STARTING


def health_of(app: App) -> Health:
    """Return the health of a worker."""
    state = state_of(app)
    assigned: defaultdict[str, list[int]] = defaultdict(list)
    if state in {State.RECOVERING, State.READY}:  # before, the assignor has the assignment that was revoked
        for tp in sorted(app.assignor.assigned_actives()):
            assigned[tp.topic].append(tp.partition)
    problems = app.problems()
    return Health(
        worker=str(app.conf.canonical_url),
        member=app.settings.member_id(app.conf.web_port),
        live=state is not State.STOPPING,
        ready=state is State.READY and not problems,
        state=state,
        assigned=assigned,
        problems=problems,
    )


async def ready(request: web.Request) -> web.Response:
    """Answer 200 once the partitions are assigned and recovered: send requests here."""
    health = health_of(request.app[APP])
    return answer(health, HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def live(request: web.Request) -> web.Response:
    """Answer 200 unless the worker stops or has crashed; that it answers shows that its event loop turns."""
    health = health_of(request.app[APP])
    return answer(health, HTTPStatus.OK if health.live else HTTPStatus.SERVICE_UNAVAILABLE)


async def acknowledge(request: web.Request) -> web.Response:
    """Make the worker ready again after a problem that somebody has seen; one that goes on comes back."""
    return answer(Acknowledged(request.app[APP].faults.acknowledge()))


operations = [
    get("/health", ready, answers=(Health,)),
    get("/health/ready", ready, answers=(Health,)),
    get("/health/live", live, answers=(Health,)),
    post("/health/acknowledge", acknowledge, answers=(Acknowledged,), errors=(HTTPStatus.FORBIDDEN,)),
]
