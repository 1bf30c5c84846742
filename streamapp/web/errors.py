"""Errors of the web server itself as JSON, like those of the views: an unknown path, a method that is not allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

__all__ = ["as_json"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < HTTPStatus.BAD_REQUEST:
            raise
        error = exc.text or exc.reason
        if exc.status == HTTPStatus.NOT_FOUND:
            error = "there is no such path; in a key / is %2F, and any key can be given as ?key=KEY"
        headers = {
            name: value for name, value in exc.headers.items() if name.lower() not in {"content-type", "content-length"}
        }
        return web.json_response({"error": error}, status=exc.status, headers=headers)


as_json: Any = _as_json
