"""The page at ``/dashboard/``: files of this package, which a browser runs as they are.

They tell nothing of the data, so they need no token; the page asks for it, and shows it when it asks for the data.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web

from streamapp.web.answers import error
from streamapp.web.operations import get

__all__ = ["CONTENT_SECURITY_POLICY", "PREFIX", "operations"]

PREFIX: Final = "/dashboard/"
FILES: Final = Path(__file__).parent / "dashboard"
#: Nothing from elsewhere, nothing inline, no frames, no forms that leave the page.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A new version of the worker has other files.
    "Cache-Control": "no-cache",
}
#: By suffix: what a browser takes a file for must not depend on the machine.
CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: By path below the prefix. They are few and small.
NAMES: Final = {path.relative_to(FILES).as_posix(): path for path in FILES.rglob("*") if path.suffix in CONTENT_TYPES}


async def page(request: web.Request) -> web.StreamResponse:
    """Give a file of the page; without a name, the page itself."""
    path = NAMES.get(request.match_info.get("name", "index.html"))
    if path is None:
        return error(HTTPStatus.NOT_FOUND, "the page has no such file")
    return web.FileResponse(path, headers={**HEADERS, "Content-Type": CONTENT_TYPES[path.suffix]})


async def to_page(_request: web.Request) -> web.Response:
    """Lead to the page."""
    return web.Response(text=f"see {PREFIX}", status=HTTPStatus.PERMANENT_REDIRECT, headers={"Location": PREFIX})


operations = [
    get(PREFIX.rstrip("/"), to_page, status=HTTPStatus.PERMANENT_REDIRECT),
    get(PREFIX, page, media="text/html"),
    get(PREFIX + "{name:.+}", page, media="*/*", errors=(HTTPStatus.NOT_FOUND,)),
]
