"""Static members (KIP-345): a worker that comes back has its partitions at once, and none takes those of a live one.

Whoever joins with the id of a member gets its place, and the broker tells the older one that it is none any more (it is
fenced): a second worker that was given the same id would put the first one out. A broker cannot tell whether the member
that it knows is alive, before the session timeout has passed; its web views can. So a worker asks before it joins.

Read from aiokafka 0.14.0 (`aiokafka/client.py`) and faust-streaming 0.15.3 (`faust/assignor/client_assignment.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import aiohttp
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Response
from faust.types.settings import Settings as FaustSettings
from yarl import URL

from streamapp.errors import StreamappError
from streamapp.kafka.admin import ClusterError
from streamapp.kafka.clients import aiokafka
from streamapp.kafka.members import StaticMember, members
from streamapp.kafka.protocol import describe_group
from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX, Settings
from streamapp.worker.start import Start

__all__ = ["FencedError", "check_alone"]

#: Asks a group's coordinator for the group.
Describe = Callable[[], Awaitable[Response]]

#: Seconds before the group is looked at again.
GROUP_CHECK_INTERVAL_S: Final = 0.2
#: Seconds beside the session timeout that a member which is gone is in the group at most.
SESSION_MARGIN_S: Final = 1.0
#: Seconds that the web views of a member may take to be reached, and to answer.
CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 2.0, 3.0


class FencedError(StreamappError):
    """Another worker has this one's place in the group; the text is one line."""

    def __init__(self, other: StaticMember) -> None:
        super().__init__(
            f"another worker has taken the place of this one: {other.told} has joined with the same "
            f"{PREFIX}INSTANCE_ID={other.instance}; give each worker its own (default: id, host name and web port)"
        )


class Sign(enum.Enum):
    """What is known of a member."""

    ALIVE = enum.auto()
    GONE = enum.auto()
    #: It cannot be asked from here, or gives no answer: the session timeout tells.
    UNKNOWN = enum.auto()


def check_alone(start: Start) -> None:
    """Check that no other worker is alive with the static id of this one; a ClusterError if there is one."""
    asyncio.run(_check_alone(start.app.settings, start.app.conf))


async def _check_alone(settings: Settings, conf: FaustSettings) -> None:
    instance = settings.member_id(conf.web_port)
    patience = conf.broker_session_timeout + SESSION_MARGIN_S
    deadline, told = time.monotonic() + patience, False
    async with _describing(settings, conf.id) as (describe, here):
        while (other := await _find(describe, instance, deadline)) is not None:
            mine = other.host == here() and conf.web_enabled
            sign = await look(other, URL(conf.canonical_url), same_host=mine)
            if sign is Sign.GONE:
                return
            if sign is Sign.ALIVE or time.monotonic() > deadline:
                given = "is" if settings.instance_id else "(id, host name and web port) is"
                raise ClusterError(
                    f"{PREFIX}INSTANCE_ID={instance} {given} that of {other.told}, which is alive: give each worker "
                    "one of its own"
                )
            if not told:
                told = True
                text = (
                    f"streamapp: {PREFIX}INSTANCE_ID={instance} is that of {other.told}, which cannot be asked whether "
                    f"it is alive: waiting up to {patience:g} s for the broker to know"
                )
                print(text, file=sys.stderr, flush=True)
            await asyncio.sleep(GROUP_CHECK_INTERVAL_S)


async def _find(describe: Describe, instance: str, deadline: float) -> StaticMember | None:
    while True:
        try:
            return next((one for one in members(await describe()) if one.instance == instance), None)
        except KafkaError as exc:
            if not exc.retriable or time.monotonic() > deadline:
                return None  # a broker that does not tell of groups, or not now: it may still let us in
            await asyncio.sleep(GROUP_CHECK_INTERVAL_S)


async def look(other: StaticMember, own: URL, *, same_host: bool) -> Sign:
    """Find out whether a member is alive, by its web views.

    Args:
        own: URL of the views that this worker is about to have, on a port that is free.
        same_host: whether the member was on this host.
    """
    if not other.url:
        return Sign.UNKNOWN
    url = URL(other.url)
    if same_host and url == own:
        return Sign.GONE  # nobody listens there
    there = same_host or not (url == own or is_loopback(url.host or ""))
    if not there:  # from here that is somebody else: it may be at the address that the broker sees, or behind that
        if is_loopback(other.host):
            return Sign.UNKNOWN
        url = url.with_host(other.host)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S)
    try:
        async with aiohttp.request("GET", url.with_path("/health/live"), timeout=timeout) as response:
            health = await response.json(content_type=None)
    except aiohttp.ClientConnectorError as exc:
        refused = isinstance(exc.os_error, ConnectionRefusedError)
        return Sign.UNKNOWN if refused and not there else Sign.GONE
    except aiohttp.ConnectionTimeoutError:
        return Sign.GONE  # nobody has the address any more
    except (aiohttp.ClientConnectionError, TimeoutError):
        return Sign.UNKNOWN
    except (aiohttp.ClientError, ValueError):
        return Sign.GONE  # another program
    if not isinstance(health, dict) or health.get("member", other.instance) != other.instance:
        return Sign.GONE  # another program, or another worker
    return Sign.ALIVE if health.get("live") else Sign.UNKNOWN


@contextlib.asynccontextmanager
async def _describing(settings: Settings, group: str) -> AsyncIterator[tuple[Describe, Callable[[], str]]]:
    """Connect to a group's coordinator: gives what asks it for the group, and the address from which that is done."""
    client = AIOKafkaClient(**aiokafka(settings))
    node: int | None = None

    async def describe() -> Response:
        nonlocal node
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        return await client.send(node, describe_group(group), group=ConnectionGroup.COORDINATION)

    def here() -> str:
        connection = client._conns[node, ConnectionGroup.COORDINATION]
        return str(connection._writer.get_extra_info("sockname")[0])

    try:
        await client.bootstrap()
        yield describe, here
    except KafkaError as exc:
        raise ClusterError(f"cannot reach Kafka at {settings.broker} ({PREFIX}BROKER): {exc}") from None
    finally:
        await client.close()
