"""Routing: which worker has a key, and asking that worker.

Faust's router (0.15.3, `faust/app/router.py`) hashes the key as JSON, ``"alice"`` with its quotes, while the
records of the source topic have it raw, so that half of the keys are looked for on the wrong worker; it takes
a worker by its URL for another one; and it waits five minutes for a worker that is down.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any, Final

import aiohttp
from faust.app import router as faust_router
from faust.exceptions import SameNode
from faust.types import TP
from faust.web import Request, Response, Web
from faust.web.exceptions import NotFound, ServiceUnavailable
from yarl import URL

from streamapp.kafka.partitioner import partition_of
from streamapp.web.access import authorization

__all__ = ["EVENT_TIME", "Owner", "Router", "partitions_of"]

#: Response header: a row's event time, in milliseconds since 1970.
EVENT_TIME: Final = "X-Event-Time"
#: Request header of a hop from worker to worker: the partition that is asked for. A hop is answered, never sent
#: on, so that workers that disagree about who has a key cannot send a request in circles.
HOP: Final = "X-Streamapp-Partition"
#: Seconds a hop may take. A look-up takes milliseconds: an owner that is silent for longer is down.
HOP_TIMEOUT: Final = aiohttp.ClientTimeout(total=3.0)
#: What of the owner's response is handed on besides status and body.
HANDED_ON: Final = frozenset({"content-type", EVENT_TIME.lower()})


@dataclasses.dataclass(frozen=True)
class Owner:
    """The worker that has a partition of a table."""

    partition: int
    url: URL
    #: Whether it is this worker.
    here: bool


def partitions_of(key: bytes, count: int) -> Iterator[int]:
    """Give the partitions that a producer may have put a key into, the likeliest first.

    That is murmur2 (Kafka's Java client, aiokafka, Faust, Kafka Streams), then CRC-32, the default of
    librdkafka and so of every producer made with confluent-kafka that does not set `partitioner`.
    """
    first, second = partition_of(key, count), zlib.crc32(key) % count
    yield first
    if second != first:
        yield second


class Router(faust_router.Router):
    """Faust's router for tables whose keys are the bytes of the source topic's keys."""

    def key_store(self, table_name: str, key: Any) -> URL:
        """Give the URL of the worker that has a key, by the partition that murmur2 gives it.

        Raises:
            NotFound: if there is no such table.
            ServiceUnavailable: while no assignment is known.
        """
        return self.owners(table_name, key)[0].url

    def owners(self, table_name: str, key: Any) -> list[Owner]:
        """Give the workers that may have a key, the likeliest first; see `partitions_of`.

        Raises:
            NotFound: if there is no such table.
            ServiceUnavailable: while no assignment is known.
        """
        table = self._get_table(table_name)
        topic = self._get_table_topic(table)
        forms = table.key_forms(self._get_serialized_key(table, key))
        # Not counted in the assignment, which may lack some: see `_owner`.
        count = self._count(table, topic)
        found = dict.fromkeys(partition for form in forms for partition in partitions_of(form, count))
        return [self._owner(TP(topic, partition)) for partition in found]

    def owner(self, table_name: str, partition: int) -> Owner:
        """Give the worker that has a partition of a table.

        Raises:
            NotFound: if there is no such table, or partition.
            ServiceUnavailable: while no assignment is known.
        """
        table = self._get_table(table_name)
        topic = self._get_table_topic(table)
        if partition >= self._count(table, topic):
            raise NotFound("unknown partition", table=table_name, partition=partition)
        return self._owner(TP(topic, partition))

    def _count(self, table: Any, changelog: str) -> int:
        app: Any = self.app
        return app.partition_counts.get(changelog) or table.partitions or app.conf.topic_partitions  # type: ignore[no-any-return]

    def _owner(self, tp: TP) -> Owner:
        if self._assignor.is_active(tp):
            return Owner(tp.partition, self.url, here=True)
        workers = self._assignor.table_metadata(tp.topic)
        if not workers:
            raise ServiceUnavailable("no partitions are assigned yet; try again", owner=str(self.url))
        for url, topics in workers.items():
            if tp.partition in topics.get(tp.topic, ()) and URL(url) != self.url:
                return Owner(tp.partition, URL(url), here=False)
        # The assignor knows workers by their URLs alone: of two that have the same, it forgets one.
        raise ServiceUnavailable(
            f"no worker is known to have partition {tp.partition}; try again, and if it stays so, give each "
            "worker a STREAMAPP_WEB_HOST by which the others reach it",
            owner=str(self.url),
        )

    @property
    def url(self) -> URL:
        """The URL by which other workers know this one."""
        return URL(self.app.conf.canonical_url)

    async def route_req(self, table_name: str, key: Any, web: Web, request: Request) -> Response:
        """Ask the worker that has a key (used by `faust.App.table_route`).

        Raises:
            SameNode: if it is this worker.
            NotFound: if there is no such table.
            ServiceUnavailable: if the worker is down, or not known.
        """
        owner = self.asked(self.owners(table_name, key), request)[0]
        if owner.here:
            raise SameNode
        return await self.ask(owner, web, request)

    def asked(self, owners: list[Owner], request: Request) -> list[Owner]:
        """Leave only this worker if another one sent the request.

        Raises:
            ServiceUnavailable: if the partition that the other worker asks for is not here.
        """
        partition = request.headers.get(HOP)
        if partition is None:
            return owners
        here = [owner for owner in owners if owner.here and str(owner.partition) == partition]
        if not here:
            raise self.moving()
        return here

    def moving(self) -> ServiceUnavailable:
        """Make the error for a partition that was thought to be here and is not."""
        return ServiceUnavailable("the key is moving to another worker; try again", owner=str(self.url))

    async def ask(
        self, owner: Owner, web: Web, request: Request, patience: aiohttp.ClientTimeout = HOP_TIMEOUT
    ) -> Response:
        """Send a request to another worker and give its response as it is.

        Raises:
            ServiceUnavailable: if the worker does not answer in time.
        """
        asked: Any = request
        # As it came: what is done to a URL else makes other keys of ".." and of what is not UTF-8.
        url = URL(f"{owner.url.origin()}{asked.rel_url.raw_path_qs}", encoded=True)
        app: Any = self.app
        headers = {HOP: str(owner.partition), **authorization(app.settings.web_token)}
        try:
            async with self.app.http_client.request(
                "GET", url, headers=headers, timeout=patience, allow_redirects=False
            ) as response:
                return web.bytes(
                    await response.read(),
                    status=response.status,
                    headers={k: v for k, v in response.headers.items() if k.lower() in HANDED_ON},
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            cause = str(exc) or f"no answer within {patience.total:g} s"
            raise ServiceUnavailable(
                "the worker that has the key is down; its keys go to others within the session timeout",
                owner=str(owner.url),
                cause=cause,
            ) from None

    @classmethod
    def _get_serialized_key(cls, _table: Any, key: Any) -> bytes:
        return key if isinstance(key, bytes) else str(key).encode()

    def _get_table(self, name: str) -> Any:
        try:
            return self.app.tables[name]
        except KeyError:
            raise NotFound("unknown table", name=name) from None
