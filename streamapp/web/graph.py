"""The services that run in the worker, as a picture.

Faust's own view (0.15.3) answers 500 unless Graphviz is installed. The services are a tree, which needs no
layout engine: this draws it as SVG, one service a line, indented under the one that started it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from faust import web
from mode.utils.objects import label

__all__ = ["blueprint", "draw"]

#: Pixels: height of a line, indent of a level, width of a character of the 13 px monospace font.
LINE: Final = 22
INDENT: Final = 24
CHARACTER: Final = 8


def draw(root: Any) -> str:
    """Draw a tree of services (a `mode.utils.trees.Node`) as SVG."""
    lines = list(_lines(root))
    width = max(INDENT * (depth + 1) + CHARACTER * len(text) for depth, _, text in lines) + INDENT
    height = LINE * (len(lines) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="monospace" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (depth, parent, text) in enumerate(lines):
        x, y = INDENT * (depth + 1), LINE * (number + 1)
        if depth:
            left, top = x - INDENT + 4, LINE * (parent + 1) + 6
            parts.append(f'<path d="M{left} {top}V{y - 4}H{x - 4}" fill="none" stroke="silver"/>')
        parts.append(f'<text x="{x}" y="{y}">{escape(text)}</text>')
    return "\n".join([*parts, "</svg>"])


def _lines(root: Any) -> Iterator[tuple[int, int, str]]:
    """Go through a tree from top to bottom: (depth, line of the parent, label)."""
    stack, number = [(root, 0, 0)], 0
    while stack:
        node, depth, parent = stack.pop()
        yield depth, parent, label(getattr(node, "data", node))
        stack.extend((child, depth + 1, number) for child in reversed(getattr(node, "children", ())))
        number += 1


blueprint = web.Blueprint("graph")


@blueprint.route("/", name="detail")
class Graph(web.View):
    """The services that run in this worker."""

    async def get(self, _request: web.Request) -> web.Response:
        """Answer with the picture."""
        beacon = self.app.beacon
        return self.text(draw(beacon.root or beacon), content_type="image/svg+xml")
