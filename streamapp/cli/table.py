"""``streamapp table``: the tables of a running app, and their rows."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import aiohttp
import click
import msgspec
from yarl import URL

from streamapp.cli.asking import ask, ask_until_ready, session_of, worker_url
from streamapp.cli.explain import event_time
from streamapp.cli.group import Command, current_settings
from streamapp.cli.row_files import json_line, open_file
from streamapp.conditions import ConditionError, condition
from streamapp.settings import Settings
from streamapp.state.pages import CountPage, RowsPage
from streamapp.state.rows import ShownRow
from streamapp.state.tables import Kind, TableState

__all__ = ["table"]

#: Seconds that a worker may take: it may have to ask others, and other scans go first.
TIMEOUT: Final = aiohttp.ClientTimeout(total=60.0)
#: Rows of a page that goes into a file.
PAGE_ROWS: Final = 1_000
#: Rows that are printed, if nothing is said.
PRINTED_ROWS: Final = 100
HEADS: Final = ("TABLE", "KIND", "ROWS", "BYTES", "PARTITIONS", "WORKERS", "LAG", "NEWEST")


@click.command(cls=Command)
@click.argument("name", required=False)
@click.argument("key", required=False)
@click.option("--where", help='Condition on the values: \'amount > 100 and country in ["DE", "FR"]\'.')
@click.option("--prefix", help="What the keys begin with.")
@click.option("--partition", type=click.IntRange(min=0), help="The rows of one partition alone.")
@click.option("--as-of", type=event_time, help="Of versioned tables the row of then: ms, or 2026-01-01T00:00:00.000Z.")
@click.option("--count", "counting", is_flag=True, help="Count the rows.")
@click.option("--limit", type=click.IntRange(min=1), help="Rows at most. [default: 100 if printed; all to a file]")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write a file: .jsonl or .parquet.")
@click.option("--worker", help="URL of any worker. [default: by STREAMAPP_WEB_HOST and STREAMAPP_WEB_PORT]")
@click.option("--json", "as_json", is_flag=True, help="List the tables in JSON.")
def table(
    name: str | None,
    key: str | None,
    where: str | None,
    prefix: str | None,
    partition: int | None,
    as_of: int | None,
    counting: bool,
    limit: int | None,
    to: Path | None,
    worker: str | None,
    as_json: bool,
) -> None:
    """Show the tables of a running app; with NAME its rows as lines of JSON, with KEY the row of a key.

    NAME may be that of a join or of windows, too: with KEY it is told what they hold for it. Rows are those that were
    committed when the scan came to their partition. Any worker is asked, and answers for all.
    """
    chosen = {"where": where, "prefix": prefix, "partition": partition}
    query = {option: str(value) for option, value in chosen.items() if value is not None}
    _check(name, key, query, as_of, counting=counting, limit=limit, to=to)
    settings = current_settings()
    asking = _Asking(settings, worker_url(settings, worker))
    if name is None:
        asyncio.run(asking.list(as_json=as_json))
    elif key is not None:
        asyncio.run(asking.look_up(name, key, as_of))
    elif counting:
        asyncio.run(asking.count(name, query))
    elif to is not None:
        asyncio.run(asking.write(name, query, limit, to))
    else:
        asyncio.run(asking.print(name, query, limit or PRINTED_ROWS))


def _check(
    name: str | None,
    key: str | None,
    query: dict[str, str],
    as_of: int | None,
    *,
    counting: bool,
    limit: int | None,
    to: Path | None,
) -> None:
    """Refuse what does not go together, before a worker is asked."""
    scanning = bool(query) or counting or limit is not None or to is not None
    if name is None and (scanning or as_of is not None):
        raise click.UsageError("say which table: streamapp table NAME; streamapp table lists them")
    if key is not None and scanning:
        raise click.UsageError(
            "KEY is of one row: --where, --prefix, --partition, --count, --limit and --to are of many"
        )
    if key is None and as_of is not None:
        raise click.UsageError("--as-of is of a KEY: streamapp table NAME KEY --as-of TIME")
    if counting and (to is not None or limit is not None):
        raise click.UsageError("--count counts all rows, and writes none")
    if "where" in query:
        try:
            condition(query["where"])
        except ConditionError as exc:
            raise click.UsageError(f"--where: {exc}") from None


@dataclasses.dataclass(frozen=True)
class _Asking:
    """Asks a worker."""

    settings: Settings
    worker: URL

    def _session(self) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        return session_of(self.settings, TIMEOUT)

    def _path(self, *parts: str) -> URL:
        return self.worker.joinpath("api", *parts)

    async def list(self, *, as_json: bool) -> None:
        """Print the tables."""
        async with self._session() as session:
            content = await ask(session, self._path("tables"))
        click.echo(content if as_json else told(msgspec.json.decode(content, type=list[TableState])))

    async def look_up(self, name: str, key: str, as_of: int | None) -> None:
        """Print the row of a key, or what a join holds for it."""
        async with self._session() as session:
            found = msgspec.json.decode(await ask(session, self._path("tables", name)), type=TableState)
            # In the query, since clients take "." and ".." out of paths.
            plain = found.kind is Kind.TABLE and as_of is None
            url = self._path("tables" if plain else "joins", name).with_query({"key": key})
            content = await ask(session, url if as_of is None else url.update_query({"as_of": str(as_of)}))
        click.echo(content)

    async def count(self, name: str, query: dict[str, str]) -> None:
        """Print how many rows there are."""
        total = 0
        async with self._session() as session:
            url: URL | None = self._path("tables", name, "count").with_query(query)
            while url is not None:
                page = msgspec.json.decode(await ask_until_ready(session, url), type=CountPage)
                total += page.count
                url = None if page.cursor is None else url.update_query({"cursor": page.cursor})
        click.echo(total)

    async def print(self, name: str, query: dict[str, str], limit: int) -> None:
        """Print rows."""

        def show(rows: Sequence[ShownRow]) -> None:
            for row in rows:
                click.echo(json_line(row))

        if not await self._read(name, query, limit, show):
            click.echo(f"these are {limit:,}, and there are more: --limit, or --to FILE", err=True)

    async def write(self, name: str, query: dict[str, str], limit: int | None, path: Path) -> None:
        """Write rows to a file."""
        written = 0

        def keep(rows: Sequence[ShownRow]) -> None:
            nonlocal written
            written += len(rows)
            file.write(rows)

        with open_file(path) as file:
            await self._read(name, query, limit, keep)
        click.echo(f"{written:,} rows of {name} are in {path}", err=True)

    async def _read(
        self, name: str, query: dict[str, str], limit: int | None, take: Callable[[Sequence[ShownRow]], None]
    ) -> bool:
        """Read rows page by page; return whether these are all."""
        left = limit
        async with self._session() as session:
            url = self._path("tables", name, "rows").with_query(query)
            while left is None or left > 0:
                page_rows = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
                content = await ask_until_ready(session, url.update_query({"limit": str(page_rows)}))
                page = msgspec.json.decode(content, type=RowsPage)
                take(page.rows)
                left = None if left is None else left - len(page.rows)
                if page.cursor is None:
                    return True
                url = url.update_query({"cursor": page.cursor})
        return False


def told(tables: Sequence[TableState]) -> str:
    """Return tables as a table, and what is not known in lines below."""
    rows = [HEADS, *map(_row, tables)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    unknown = [
        f"{each.name}, partition {one.partition}: {one.reason}"
        for each in tables
        for one in each.partitions
        if one.reason
    ]
    return "\n".join([*lines, *unknown])


def _row(each: TableState) -> tuple[str, ...]:
    workers = {one.owner for one in each.partitions if one.owner is not None}
    newest = "-" if each.clock is None else str(each.clock)
    counts = (each.rows, each.bytes, len(each.partitions), len(workers), each.lag)
    return each.name, each.kind, *("?" if count is None else f"{count:,}" for count in counts), newest
