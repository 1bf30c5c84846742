"""Answers: structs as JSON, and errors as JSON with one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import cast

import msgspec
from aiohttp import web
from faust.web import Request, Response
from faust.web.exceptions import WebError

from streamapp.formats.undecodable import Undecodable
from streamapp.kafka.log_reader import LogError, MissingError
from streamapp.state.scans import TooManyScansError
from streamapp.stores.errors import StoreBehindError, StoreUnreachableError
from streamapp.web.operations import Handler
from streamapp.web.requests import APP

__all__ = ["answer", "as_json", "counted", "error"]


def answer(
    value: msgspec.Struct | Sequence[msgspec.Struct],
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Answer with structs as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", status=status, headers=headers)


def error(status: int, text: str, headers: Mapping[str, str] | None = None, /, **about: object) -> web.Response:
    """Answer with an error, and what it is about."""
    body = msgspec.json.encode({"error": text, **about})
    return web.Response(body=body, content_type="application/json", status=status, headers=headers)


@web.middleware
async def as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors in JSON: those of the views, and of the server itself, such as an unknown path."""
    try:
        return await handler(request)
    except WebError as exc:
        return error(exc.code, exc.detail, **exc.extra_context)
    except MissingError as exc:
        return error(HTTPStatus.NOT_FOUND, str(exc))
    except TooManyScansError as exc:
        return error(HTTPStatus.TOO_MANY_REQUESTS, f"{exc}; try again in some seconds", {"Retry-After": "5"})
    except Undecodable as exc:
        return error(HTTPStatus.INTERNAL_SERVER_ERROR, f"the row cannot be read: {exc}")
    except (LogError, StoreUnreachableError, StoreBehindError) as exc:
        return error(HTTPStatus.SERVICE_UNAVAILABLE, str(exc), owner=str(request.app[APP].conf.canonical_url))
    except web.HTTPException as exc:
        if exc.status < HTTPStatus.BAD_REQUEST:
            raise
        text = exc.text or exc.reason
        if exc.status == HTTPStatus.NOT_FOUND:
            text = "there is no such path; in a key / is %2F, and any key can be given as ?key=KEY"
        headers = {name: value for name, value in exc.headers.items() if not name.lower().startswith("content-")}
        return error(exc.status, text, headers)


def counted(view: Handler) -> Handler:
    """Return a view that is counted as Faust counts its own."""

    async def count(request: web.Request) -> web.StreamResponse:
        app, asked, response = request.app[APP], cast(Request, request), None
        state = app.sensors.on_web_request_start(app, asked)
        try:
            response = await as_json(request, view)
        finally:
            app.sensors.on_web_request_end(app, asked, cast(Response | None, response), state)
        return response

    return count
