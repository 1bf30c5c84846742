"""The services that run in the worker, as a picture.

Faust's own view (0.15.3) answers 500 unless Graphviz is installed. The services are a tree, which needs no
layout engine: this draws it as SVG, one service a line, indented under the one that started it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from aiohttp import web
from mode.utils.objects import label

from streamapp.web.requests import APP

__all__ = ["draw", "routes"]

LINE_PX: Final = 22
INDENT_PX: Final = 24
#: Of the 13 px monospace font.
CHARACTER_PX: Final = 8


async def graph(request: web.Request) -> web.Response:
    """Answer with the picture."""
    beacon = request.app[APP].beacon
    return web.Response(text=draw(beacon.root or beacon), content_type="image/svg+xml")


def draw(root: object) -> str:
    """Draw a tree of services (`mode.utils.trees.Node`) as SVG."""
    lines = list(_lines(root))
    width = max(INDENT_PX * (depth + 2) + CHARACTER_PX * len(text) for depth, text in lines)
    size = f'width="{width}" height="{LINE_PX * (len(lines) + 1)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    #: The last line so far of each depth.
    last: dict[int, int] = {}
    for number, (depth, text) in enumerate(lines, start=1):
        x, y, last[depth] = INDENT_PX * (depth + 1), LINE_PX * number, number
        if depth:
            left, top = x - INDENT_PX + 4, LINE_PX * last[depth - 1] + 6
            parts.append(f'<path d="M{left} {top}V{y - 4}H{x - 4}" fill="none" stroke="silver"/>')
        parts.append(f'<text x="{x}" y="{y}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"])


def _lines(node: object, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Go through a tree from top to bottom: the depth and the label of each node."""
    yield depth, label(getattr(node, "data", node))
    for child in getattr(node, "children", ()):
        yield from _lines(child, depth + 1)


routes = [
    web.get("/graph/", graph),
]
