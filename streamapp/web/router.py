"""Routing: which worker has a key, and asking that worker.

Faust's router (0.15.3, `faust/app/router.py`) hashes the key as JSON, ``"alice"`` with its quotes, while the
records of the source topic have it raw, so that half of the keys are looked for on the wrong worker; it takes
a worker by its URL for another one; and it waits five minutes for a worker that is down.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar, cast

import aiohttp
import msgspec
from aiohttp import web
from faust.app import router as faust_router
from faust.exceptions import SameNode
from faust.types import TP, K
from faust.types.assignor import HostToPartitionMap
from faust.web import Request, Response, Web
from faust.web.exceptions import NotFound, ParseError, ServiceUnavailable
from yarl import URL

from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.partitioners import partitions_of
from streamapp.web.access import authorization
from streamapp.worker.app import App
from streamapp.worker.table import Table

__all__ = ["EVENT_TIME", "HOP", "Owner", "Router", "router_of", "table_of", "understood"]

T = TypeVar("T")

#: Response header: a row's event time, in milliseconds since 1970.
EVENT_TIME: Final = "X-Event-Time"
#: Request header of a hop from worker to worker: the partition that is asked for. A hop is answered, never sent
#: on, so that workers that disagree about who has a key cannot send a request in circles.
HOP: Final = "X-Streamapp-Partition"
#: A look-up takes milliseconds: an owner that is silent for longer is down.
HOP_TIMEOUT: Final = aiohttp.ClientTimeout(total=3.0)
#: What of the owner's response is handed on besides status and body.
HANDED_ON: Final = frozenset({"content-type", EVENT_TIME.lower()})


class Owner(NamedTuple):
    """The worker that has a partition of a table, which may be this one."""

    partition: int
    url: URL
    here: bool


def table_of(app: App, name: str) -> Table:
    """Return a table by its name; a NotFound if there is none."""
    try:
        return cast(Table, app.tables[name])
    except KeyError:
        raise NotFound("unknown table", name=name) from None


class Router(faust_router.Router):
    """Faust's router for tables whose keys are the bytes of the source topic's keys.

    Raises:
        NotFound: by the methods that take a table, if there is no such table.
        ParseError: by those that take a key, if it is none of the table's.
        ServiceUnavailable: by those that return a worker, while none is known to have the partition.
    """

    app: App

    def table_metadata(self, table_name: str) -> HostToPartitionMap:
        """Return which worker has which partitions of a table."""
        return super().table_metadata(table_of(self.app, table_name).name)

    def key_store(self, table_name: str, key: K) -> URL:
        """Return the URL of the worker that has a key, by the partition that murmur2 gives it."""
        return self.owners(table_name, key)[0].url

    def owners(self, table_name: str, key: K, hop: str | None = None) -> list[Owner]:
        """Return the workers that may have a key, the likeliest first (`partitions_of`); this one alone for a `HOP`."""
        table, text = table_of(self.app, table_name), key if isinstance(key, bytes) else str(key).encode()
        try:
            forms = table.source_keys(text)
        except Undecodable as exc:
            raise ParseError(f"that is no key of {table.source or table.name}: {exc}") from None
        # Not counted in the assignment, which may lack some: see `_owner`.
        numbers = dict.fromkeys(number for form in forms for number in partitions_of(form, self.count(table)))
        return self._owners([TP(table.changelog_topic_name, number) for number in numbers], hop)

    def owner(self, table_name: str, partition: int, hop: str | None = None) -> Owner:
        """Return the worker that has a partition of a table, which is to be this one for a `HOP`."""
        table = table_of(self.app, table_name)
        if partition >= self.count(table):
            raise NotFound("unknown partition", table=table_name, partition=partition)
        return self._owners([TP(table.changelog_topic_name, partition)], hop)[0]

    def _owners(self, tps: list[TP], hop: str | None) -> list[Owner]:
        if hop is None:
            return [self._owner(tp) for tp in tps]
        here = [self._owner(tp) for tp in tps if str(tp.partition) == hop and self.app.assignor.is_active(tp)]
        if not here:
            raise self.moving()
        return here

    def count(self, table: Table) -> int:
        """Return how many partitions a table has."""
        known = self.app.partition_counts.get(table.changelog_topic_name)
        return known or table.partitions or self.app.conf.topic_partitions

    def _owner(self, tp: TP) -> Owner:
        if self.app.assignor.is_active(tp):
            return Owner(tp.partition, self.url, here=True)
        workers = self.app.assignor.table_metadata(tp.topic)
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

    async def route_req(self, table_name: str, key: K, web: Web, request: Request) -> Response:
        """Ask the worker that has a key (used by `faust.App.table_route`); a SameNode if it is this worker."""
        asked = cast("aiohttp.web.Request", request)
        owner = self.owners(table_name, key, asked.headers.get(HOP))[0]
        if owner.here:
            raise SameNode
        return cast(Response, await self.ask(owner, asked))

    def moving(self) -> ServiceUnavailable:
        """Return the error for a partition that was thought to be here and is not."""
        return ServiceUnavailable("the key is moving to another worker; try again", owner=str(self.url))

    async def ask(
        self, owner: Owner, request: web.Request, within: aiohttp.ClientTimeout = HOP_TIMEOUT
    ) -> web.Response:
        """Return another worker's response to a request as it is; a ServiceUnavailable if none comes in time."""
        # As it came: what is done to a URL else makes other keys of ".." and of what is not UTF-8.
        return await self.fetch(owner, request.rel_url.raw_path_qs, within)

    async def fetch(self, owner: Owner, path: str, within: aiohttp.ClientTimeout = HOP_TIMEOUT) -> web.Response:
        """Return another worker's response to a path with its query; a ServiceUnavailable if none comes in time."""
        url = URL(f"{owner.url.origin()}{path}", encoded=True)
        headers = {HOP: str(owner.partition), **authorization(self.app.settings.web_token)}
        try:
            async with self.app.http_client.get(
                url, headers=headers, timeout=within, allow_redirects=False
            ) as response:
                handed_on = {name: value for name, value in response.headers.items() if name.lower() in HANDED_ON}
                return web.Response(body=await response.read(), status=response.status, headers=handed_on)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise ServiceUnavailable(
                "the worker that has the key is down; its keys go to others within the session timeout",
                owner=str(owner.url),
                cause=str(exc) or f"no answer within {within.total:g} s",
            ) from None

    def others(self, table: Table) -> list[Owner]:
        """Return the other workers that have partitions of a table, each by one of these, or may follow some.

        Which ones follow some the assignment does not say; it has all workers.
        """
        workers = self.app.assignor.table_metadata(table.changelog_topic_name)
        told = {url: topics.get(table.changelog_topic_name, ()) for url, topics in workers.items()}
        return [
            Owner(min(numbers, default=0), URL(url), here=False)
            for url, numbers in told.items()
            if (numbers or self.app.settings.standbys) and URL(url) != self.url
        ]


def understood(body: bytes, kind: type[T], owner: Owner) -> T:
    """Return what another worker answers, decoded; a ServiceUnavailable for what another version of it may say."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise ServiceUnavailable(
            f"what the worker that has it answers is not understood: is it of another version? {exc}",
            owner=str(owner.url),
        ) from None


def router_of(app: App) -> Router:
    """Return the router of an app."""
    return cast(Router, app.router)
