"""The document of all views, ``/openapi.json``, made from the operations that the routes are made from."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from streamapp import __version__
from streamapp.web import funnels, graph, group, health, held, joins, live, metrics, page, state, tables, topology
from streamapp.web.access import OPEN
from streamapp.web.operations import Operation, get

__all__ = ["OPERATIONS", "document", "openapi"]

REFERENCE: Final = "#/components/schemas/{name}"
JSON, PLAIN = "application/json", "text/plain"
#: A variable of a path, as aiohttp writes it.
VARIABLE: Final = re.compile(r"\{(\w+)(:[^}]+)?\}")
WHOLE: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0}
#: What variables of paths are, if they are no text.
VARIABLES: Final = {"partition": {**WHOLE, "maximum": (1 << 31) - 1}, "offset": {**WHOLE, "maximum": (1 << 63) - 1}}
#: Any path may have these: no token is shown; the worker is asked by a name that is not its own, is not ready, or
#: another one does not answer.
ANYWHERE: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.MISDIRECTED_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE)
#: Faust's own views (0.15.3): they are made by Faust, and answer what it has.
FAUSTS: Final = {
    "/": "What Faust's sensors have counted.",
    "/assignment/": "The partitions that this worker has, and its standbys.",
    "/performance/": "What Faust's sensors have counted, without the details.",
    "/router/": "The partitions of the tables, by worker.",
    "/router/topics": "The partitions of the topics, by worker.",
    "/router/{name}/": "The partitions of a table, by worker.",
    "/router/{name}/{key}/": "The worker that has a key.",
}


class Error(msgspec.Struct, frozen=True):
    """What is wrong, in one line; what it is about is beside it."""

    error: str


async def openapi(_request: web.Request) -> web.Response:
    """Return the document of all paths: OpenAPI 3.1."""
    return web.Response(body=_encoded(), content_type=JSON)


#: All that we answer.
OPERATIONS: Final[list[Operation]] = [
    *health.operations,
    *metrics.operations,
    *tables.operations,
    *joins.operations,
    *graph.operations,
    *state.operations,
    *held.operations,
    *group.operations,
    *topology.operations,
    *funnels.operations,
    *live.operations,
    *page.operations,
    get("/openapi.json", openapi, described={"type": "object"}),
]


def document() -> dict[str, Any]:
    """Return the document, with each path that there is."""
    types = {kind for one in OPERATIONS for kind in one.answers if kind is not Any}
    ordered = [*sorted(types, key=str), Error]
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
    known = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(VARIABLE.sub(r"{\1}", one.path), {})[one.method.lower()] = _operation(one, known)
    for path, summary in FAUSTS.items():
        paths[path] = {"get": _described(path, summary, {"200": _answer("what there is", {}, JSON)}, _missing(path))}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "streamapp",
            "version": __version__,
            "description": "The views of a worker. Any worker answers for all keys; what it does not have it asks for.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        # Without STREAMAPP_WEB_TOKEN there is no token to be shown.
        "security": [{}, {"token": []}],
    }


@functools.cache
def _encoded() -> bytes:
    return msgspec.json.encode(document())


def _operation(one: Operation, known: Mapping[Any, Any]) -> dict[str, Any]:
    kinds = [{} if kind is Any else known[kind] for kind in one.answers]
    schema = one.described or (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    media = one.media or (JSON if kinds or one.described else PLAIN)
    answers = {
        str(one.status.value): _answer(one.status.phrase, schema if media == JSON else {"type": "string"}, media)
    }
    if one.path in OPEN:  # which say what is wrong in their own way
        answers["503"] = _answer("not so", schema, JSON)
    parameters = [
        {"name": each.name, "in": "query", "description": each.help, "schema": dict(each.schema)}
        for each in one.parameters
    ]
    return _described(one.path, one.summary, answers, one.errors, parameters)


def _described(
    path: str,
    summary: str,
    answers: dict[str, Any],
    errors: Iterable[HTTPStatus],
    parameters: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    variables = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": VARIABLES.get(name, {"type": "string", "minLength": 1}),
        }
        for name, _ in VARIABLE.findall(path)
    ]
    wrong = {
        str(status.value): _answer(status.phrase, {"$ref": REFERENCE.format(name="Error")}, JSON)
        for status in (*errors, *ANYWHERE)
    }
    return {
        "summary": summary,
        "parameters": [*variables, *parameters],
        "responses": dict(sorted({**wrong, **answers}.items())),
    }


def _missing(path: str) -> Iterable[HTTPStatus]:
    return [HTTPStatus.NOT_FOUND] if VARIABLE.search(path) else []


def _answer(description: str, schema: Any, media: str) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}
