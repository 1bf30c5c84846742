"""Health: whether the worker lives, and whether it is ready to answer for its partitions."""

from __future__ import annotations

import enum
from collections import defaultdict
from http import HTTPStatus
from typing import Any

import msgspec
from faust import web

__all__ = ["Health", "State", "blueprint", "health_of", "state_of"]


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


def state_of(app: Any) -> State:
    """Say what a worker is busy with; `READY` = its partitions are assigned and recovered."""
    if app.should_stop or app.crashed:
        return State.STOPPING
    if app.in_recovery:
        return State.RECOVERING
    if app.rebalancing:
        return State.ASSIGNING
    return State.READY if app.tables.actives_ready else State.STARTING


def health_of(app: Any) -> Health:
    """Give the health of a worker."""
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


blueprint = web.Blueprint("health")


class HealthView(web.View):
    """Answers 200 or 503, with the health as JSON."""

    def answer(self, health: Health, *, good: bool) -> web.Response:
        """Give the health with the status that says whether it is good."""
        return self.bytes(
            msgspec.json.encode(health),
            content_type="application/json",
            status=HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE,
        )


@blueprint.route("/health", name="health")
@blueprint.route("/health/ready", name="ready")
class Ready(HealthView):
    """200 once the partitions are assigned and recovered: send requests here."""

    async def get(self, _request: web.Request) -> web.Response:
        """Answer for a readiness probe."""
        health = health_of(self.app)
        return self.answer(health, good=health.ready)


@blueprint.route("/health/live", name="live")
class Live(HealthView):
    """200 unless the worker stops or has crashed; that it answers shows that its event loop turns."""

    async def get(self, _request: web.Request) -> web.Response:
        """Answer for a liveness probe."""
        health = health_of(self.app)
        return self.answer(health, good=health.live)


@blueprint.route("/health/acknowledge", name="acknowledge")
class Acknowledge(HealthView):
    """Makes the worker ready again after a problem that somebody has seen; one that goes on comes back."""

    async def post(self, _request: web.Request) -> web.Response:
        """Forget the problems, and answer with what they were."""
        app: Any = self.app
        texts = app.faults.acknowledge()
        return self.bytes(msgspec.json.encode({"acknowledged": texts}), content_type="application/json")
