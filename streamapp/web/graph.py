"""The services that run in the worker, one a line, each indented under the one that started it.

Faust's own view (0.15.3) answers 500 unless Graphviz is installed.
"""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web
from mode.utils.objects import label

from streamapp.web.operations import get
from streamapp.web.requests import APP

__all__ = ["lines", "operations"]


async def graph(request: web.Request) -> web.Response:
    """Answer with the tree of services."""
    beacon = request.app[APP].beacon
    return web.Response(text="\n".join(lines(beacon.root or beacon)))


def lines(node: object, depth: int = 0) -> Iterator[str]:
    """Go through a tree of services (`mode.utils.trees.Node`) from the root down."""
    yield "  " * depth + label(getattr(node, "data", node))
    for child in getattr(node, "children", ()):
        yield from lines(child, depth + 1)


operations = [
    get("/graph/", graph),
]
