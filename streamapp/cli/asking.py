"""Asking a worker: its views over HTTP, from a command."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

import aiohttp
import click
import msgspec
from yarl import URL

from streamapp.errors import StreamappError
from streamapp.settings import PREFIX, Settings

__all__ = ["AskError", "ask", "ask_until_ready", "session_of", "worker_url"]

#: Answers that another moment changes: a rebalance, too many scans.
PASSING: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})
#: Seconds for which those are asked again, and between two attempts.
PATIENCE_S: Final = 30.0
AGAIN_S: Final = 0.5


class AskError(StreamappError):
    """A worker that does not answer, or answers that it cannot; its text is one line that says why."""


def worker_url(settings: Settings, given: str | None) -> URL:
    """Return the URL of the worker that is asked; a UsageError for what is none."""
    try:
        url = URL(given or f"http://{settings.web_name}:{settings.web_port}")
        url.origin()  # raises, too, for what has no host
    except ValueError:
        raise click.UsageError(f"--worker: {given!r} is no URL, such as http://[::1]:6066") from None
    return url


@contextlib.asynccontextmanager
async def session_of(settings: Settings, within: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session that shows the token of the views; an answer may take so long."""
    # Not by streamapp.web: what is asked here needs no Faust, whose import takes most of a second.
    headers = {"Authorization": f"Bearer {settings.web_token}"} if settings.web_token else {}
    async with aiohttp.ClientSession(headers=headers, timeout=within) as session:
        yield session


async def ask(session: aiohttp.ClientSession, url: URL) -> bytes:
    """Return what a worker answers; an AskError if that is no 200."""
    status, content = await _get(session, url)
    if status != HTTPStatus.OK:
        raise AskError(_error(status, content))
    return content


async def ask_until_ready(session: aiohttp.ClientSession, url: URL) -> bytes:
    """Do the same, with patience for a rebalance."""
    end = time.monotonic() + PATIENCE_S
    while True:
        status, content = await _get(session, url)
        if status == HTTPStatus.OK:
            return content
        if status not in PASSING or time.monotonic() > end:
            raise AskError(_error(status, content))
        await asyncio.sleep(AGAIN_S)


async def _get(session: aiohttp.ClientSession, url: URL) -> tuple[int, bytes]:
    try:
        async with session.get(url) as response:
            return response.status, await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise AskError(
            f"no worker answers at {url.origin()}: {exc or 'it takes too long'}; --worker URL names one, and "
            f"{PREFIX}WEB_HOST and {PREFIX}WEB_PORT do"
        ) from None


def _error(status: int, content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the worker answers {status}"
