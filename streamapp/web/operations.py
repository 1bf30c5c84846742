"""Operations: what a path and a method answer, from which the routes are made, and the document of the views."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from aiohttp import web

__all__ = ["Handler", "Operation", "Parameter", "get", "post"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What a query may have."""

    name: str
    help: str
    schema: Schema = dataclasses.field(default_factory=lambda: {"type": "string"})


@dataclasses.dataclass(frozen=True)
class Operation:
    """A path with a method: how it is answered, and how that is documented.

    Args:
        method: of HTTP.
        path: as aiohttp reads it.
        handler: the first line of its docstring is the summary.
        answers: the types that msgspec makes JSON of, one of them; none = text.
        parameters: of the query.
        errors: the statuses besides 200 and those that each path may have.
        status: of a good answer that is another one than 200.
        described: in place of the types, where the answer is no type of ours.
        media: of an answer that is neither JSON nor plain text.
    """

    method: str
    path: str
    handler: Handler
    answers: tuple[Any, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    errors: Collection[HTTPStatus] = ()
    status: HTTPStatus = HTTPStatus.OK
    described: Schema | None = None
    media: str = ""

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        return (self.handler.__doc__ or "").strip().split("\n")[0]


get = partial(Operation, "GET")
post = partial(Operation, "POST")
