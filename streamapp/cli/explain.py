"""``streamapp explain``: why a record joined, or did not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import aiohttp
import click
import msgspec
from yarl import URL

from streamapp.cli.asking import ask, session_of, worker_url
from streamapp.cli.group import Command, current_settings
from streamapp.errors import StreamappError
from streamapp.explain.answer import Answer, JoinInfo
from streamapp.produce.times import iso_time
from streamapp.settings import Settings

__all__ = ["ExplainError", "event_time", "explain"]

#: Seconds that a worker may take: it reads topics, and may have to ask another one.
TIMEOUT: Final = aiohttp.ClientTimeout(total=30.0)


class ExplainError(StreamappError):
    """A question that has no answer; its text is one line that says why."""


def event_time(value: str) -> int:
    """Read an event time, in ms: ms since 1970, or ISO 8601, which is UTC unless it says otherwise."""
    try:
        return int(value) if value.isdecimal() else iso_time(value)
    except ValueError:
        like = "1767225600000 (ms) or 2026-01-01T00:00:00.000Z"
        raise click.BadParameter(f"{value!r} is no time: write {like}") from None


@click.command(cls=Command)
@click.argument("topic")
@click.argument("partition", required=False, type=click.IntRange(min=0))
@click.argument("offset", required=False, type=click.IntRange(min=0))
@click.option("--key", help="Key of the record.")
@click.option("--time", type=event_time, help="Its event time: ms since 1970, or 2026-01-01T00:00:00.000Z.")
@click.option("--join", "--window", "join", help="Name of the join or window. [default: each that reads the topic]")
@click.option("--worker", help="URL of any worker. [default: by STREAMAPP_WEB_HOST and STREAMAPP_WEB_PORT]")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def explain(
    topic: str,
    partition: int | None,
    offset: int | None,
    key: str | None,
    time: int | None,
    join: str | None,
    worker: str | None,
    as_json: bool,
) -> None:
    """Say why a record joined, or did not; of windows, in which it counts.

    The record at OFFSET of PARTITION of TOPIC, or the first one of --key and --time. The workers are asked: for what
    their joins know of it, what they wrote to their side outputs, and what else of the other side there was.
    """
    place = [str(one) for one in (partition, offset) if one is not None]
    query = {name: str(one) for name, one in (("key", key), ("time", time)) if one is not None}
    if (len(place), len(query)) not in {(2, 0), (0, 2)}:
        raise click.UsageError("say which record: TOPIC PARTITION OFFSET, or TOPIC --key KEY --time TIME")
    settings = current_settings()
    answers = asyncio.run(_ask(settings, worker_url(settings, worker), topic, join, place, query))
    click.echo(msgspec.json.encode(answers) if as_json else "\n\n".join(answer.text for answer in answers))


async def _ask(
    settings: Settings, worker: URL, topic: str, join: str | None, place: Sequence[str], query: dict[str, str]
) -> list[Answer]:
    async with session_of(settings, TIMEOUT) as session:
        joins = msgspec.json.decode(await ask(session, worker / "joins" / ""), type=list[JoinInfo])
        answers: list[Answer] = []
        for one in _reading(joins, join, {topic, settings.topic(topic)}, topic):
            url = worker.joinpath("joins", one.name, topic, *place, "").with_query(query)
            answers += msgspec.json.decode(await ask(session, url), type=list[Answer])
        return answers


def _reading(joins: list[JoinInfo], name: str | None, names: set[str], topic: str) -> list[JoinInfo]:
    """Return the joins that are asked: those of the name that read the topic, by either of its names."""
    found = [one for one in joins if name in {None, one.name}]
    if not found:
        raise ExplainError(f"there is no join {name!r}, but {', '.join(one.name for one in joins) or 'none at all'}")
    reading = [one for one in found if names & {*one.topics}]
    if not reading:
        topics = dict.fromkeys(topic for one in found for topic in one.topics)
        raise ExplainError(f"{name or 'no join'} reads {topic}; there are {', '.join(topics)}")
    return reading
