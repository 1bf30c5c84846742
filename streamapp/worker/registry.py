"""The schema registry before the start, and the schemas that a batch waits for."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from streamapp.errors import StreamappError
from streamapp.formats.registered import RegisteredData, UnfetchedError
from streamapp.formats.registry import Registry, RegistryAwayError, RegistryError
from streamapp.runtime.problems import Problems
from streamapp.settings import PREFIX
from streamapp.worker.start import Start

__all__ = ["check_registry", "fetched"]

logger = logging.getLogger(__name__)

#: Seconds that a start waits for the registry, as it does for the broker.
START_TIMEOUT_S: Final = 30.0
#: Seconds before it is asked again.
RETRY_S: Final = 0.5
RETRY_MAX_S: Final = 5.0
#: Seconds for which an id that the registry does not have is asked for again before its records are refused. A producer
#: registers a schema just before its first record, and the replica that is asked here may be behind; replicas read a
#: topic or a database's log, which takes less than a second. No longer, since the partition waits meanwhile.
REPLICA_LAG_S: Final = 3.0
#: Name of the problem at ``/health``.
PROBLEM: Final = "schema registry"


def check_registry(start: Start) -> None:
    """Have the schemas of what is written registered, or looked up, and see that the others can be asked for.

    Raises:
        StreamappError: if the registry does not answer within half a minute, or refuses a schema or us.
    """
    app, used = start.app, dict(_used(start))
    if not used:
        return
    first = next(iter(used)).topic
    if not app.settings.registry_url:
        raise StreamappError(f"{first} is in the wire format of a schema registry: set {PREFIX}REGISTRY_URL")
    registry, deadline = Registry(app.settings), time.monotonic() + START_TIMEOUT_S
    _answered(registry.ask, deadline)
    for data, written in used.items():
        data.connect(registry)
        if written:
            _answered(partial(data.register, app.settings), deadline)


def _used(start: Start) -> Iterator[tuple[RegisteredData, bool]]:
    """Go through the values and keys in the registry's wire format; with whether they are written."""
    declared = start.app.declared
    yield from declared.registered.items()
    for topic, serde in declared.serdes.items():
        for data in (serde.value, serde.key):
            if isinstance(data, RegisteredData):
                yield data, topic in declared.sinks or topic in declared.internal


def _answered(question: Callable[[], object], deadline: float) -> None:
    """Ask the registry until it answers, as one that has just started may take its time to.

    Raises:
        RegistryError: if it has not until then, or refuses a schema or us.
    """
    told = False
    while True:
        try:
            question()
        except RegistryAwayError as exc:
            if time.monotonic() > deadline:
                raise RegistryError(f"{exc}; waited for {START_TIMEOUT_S:.0f} s") from None
            if not told:
                print(f"streamapp: waiting: {exc}", file=sys.stderr, flush=True)
                told = True
            time.sleep(RETRY_S)
        else:
            return


async def fetched(needed: Iterable[UnfetchedError], problems: Problems, current: Callable[[], bool]) -> None:
    """Have schemas fetched, in a thread, and wait for them; a registry that is away is a problem at ``/health``.

    The data of one that the registry does not have for some seconds are refused.

    Args:
        needed: the schemas.
        problems: where it is told.
        current: tells whether anybody still waits.
    """
    waiting, missed, delay_s = [*needed], dict[UnfetchedError, float](), RETRY_S
    problem, told = (PROBLEM, waiting[0].schema), False
    try:
        while waiting and current():
            one = waiting[0]
            try:
                for one in tuple(waiting):
                    if await asyncio.to_thread(one.fetch):
                        waiting.remove(one)
                    elif one.known_as_unknown or _since(missed, one) >= REPLICA_LAG_S:
                        one.refuse()
                        waiting.remove(one)
            except StreamappError as exc:
                text = f"records of schema {one.schema} wait: {exc}"
                if not told:
                    logger.warning("%s", text)
                problems.report(problem, text)
                told = True
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_MAX_S)
            else:
                problems.over(problem)
                told, delay_s = False, RETRY_S
                await asyncio.sleep(RETRY_S if waiting else 0)
    finally:
        problems.over(problem)


def _since(missed: dict[UnfetchedError, float], one: UnfetchedError) -> float:
    """Return the seconds since a schema was missed first."""
    now = time.monotonic()
    return now - missed.setdefault(one, now)
