"""``streamapp explain``: why a record joined, or did not."""

from __future__ import annotations

import asyncio
import datetime
import sys
from typing import Any, Final, NoReturn

import aiohttp
import click
import msgspec
from faust.cli.base import AppCommand, argument, option
from yarl import URL

from streamapp.application import App
from streamapp.errors import StreamappError
from streamapp.explain.answer import Answer
from streamapp.settings import PREFIX
from streamapp.web.access import authorization
from streamapp.web.joins import JoinInfo

__all__ = ["Explain", "ExplainError"]

#: Seconds that a worker may take: it reads topics, and may have to ask another one.
TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)


class ExplainError(StreamappError):
    """A question that has no answer; its text is one line that says why."""


class Time(click.ParamType):
    """An event time on the command line, in ms."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it: ms since 1970, or ISO 8601, which is UTC unless it says otherwise."""
        if isinstance(value, int) or value.isdecimal():
            return int(value)
        try:
            time = datetime.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 1767225600000 (ms) or 2026-01-01T00:00:00.000Z", param, ctx)
        time = time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
        return round(time.timestamp() * 1000)


class Explain(AppCommand):
    """Say why a record joined, or did not.

    The record at OFFSET of PARTITION of TOPIC, or the first one of --key and --time. The workers are asked: for what
    their joins know of it, what they wrote to their side outputs, and what else of the other side there was.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        argument("topic"),
        argument("partition", required=False, type=click.IntRange(min=0)),
        argument("offset", required=False, type=click.IntRange(min=0)),
        option("--key", help="Key of the record."),
        option("--time", type=Time(), help="Its event time: ms since 1970, or 2026-01-01T00:00:00.000Z."),
        option("--join", help="Name of the join. [default: each that reads the topic]"),
        option("--worker", help="URL of any worker. [default: by STREAMAPP_WEB_HOST and STREAMAPP_WEB_PORT]"),
        option("--json", "as_json", is_flag=True, help="Answer in JSON."),
    ]

    def __init__(self, ctx: click.Context, **given: Any) -> None:
        super().__init__(ctx)
        given_of = {name for name in ("partition", "offset", "key", "time") if given[name] is not None}
        if given_of not in ({"partition", "offset"}, {"key", "time"}):
            raise self.UsageError("say which record: TOPIC PARTITION OFFSET, or TOPIC --key KEY --time TIME")
        settings = self.app.settings
        try:
            self.worker = URL(given["worker"] or f"http://{settings.web_name}:{settings.web_port}")
        except ValueError:
            raise self.UsageError(f"--worker: {given['worker']!r} is no URL, such as http://[::1]:6066") from None
        self.given = given
        self.json = self.json or given["as_json"]

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Ask the workers; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if there is no answer.
        """
        try:
            answers = asyncio.run(self._ask())
        except ExplainError as exc:
            print(f"streamapp explain: {exc}", file=sys.stderr)
            sys.exit(1)
        if self.json:
            print(msgspec.json.encode(answers).decode())
        else:
            print("\n\n".join(answer.text for answer in answers))
        sys.exit(0)

    async def _ask(self) -> list[Answer]:
        topic = self.given["topic"]
        by_offset = [str(self.given[name]) for name in ("partition", "offset") if self.given[name] is not None]
        by_time = {name: str(self.given[name]) for name in ("key", "time") if self.given[name] is not None}
        async with aiohttp.ClientSession(
            headers=authorization(self.app.settings.web_token), timeout=TIMEOUT
        ) as session:
            joins = msgspec.json.decode(await self._get(session, "joins"), type=list[JoinInfo])
            answers: list[Answer] = []
            for join in self._of(joins, topic):
                content = await self._get(session, "joins", join.name, topic, *by_offset, **by_time)
                answers += msgspec.json.decode(content, type=list[Answer])
            return answers

    def _of(self, joins: list[JoinInfo], topic: str) -> list[JoinInfo]:
        """Give the joins that are asked."""
        name = self.given["join"]
        found = [one for one in joins if name in {None, one.name}]
        if not found:
            raise ExplainError(
                f"there is no join {name!r}, but {', '.join(one.name for one in joins) or 'none at all'}"
            )
        reading = [one for one in found if {topic, self.app.settings.topic(topic)} & {*one.topics}]
        if not reading:
            topics = dict.fromkeys(topic for one in found for topic in one.topics)
            raise ExplainError(f"{name or 'no join'} reads {topic}; there are {', '.join(topics)}")
        return reading

    async def _get(self, session: aiohttp.ClientSession, *parts: str, **query: str) -> bytes:
        url = self.worker.joinpath(*parts, "").with_query(query)
        try:
            async with session.get(url) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise ExplainError(
                f"no worker answers at {self.worker}: {exc or 'it takes too long'}; --worker URL names one, and "
                f"{PREFIX}WEB_HOST and {PREFIX}WEB_PORT do"
            ) from None
        if response.status != 200:
            raise ExplainError(_error(content, response.status))
        return content


def _error(content: bytes, status: int) -> str:
    try:
        return str(msgspec.json.decode(content)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the worker answers {status}"
