"""Access to the views: with a token, if there is one; without one they are for this machine alone."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from streamapp.web.answers import error
from streamapp.web.operations import Handler

__all__ = ["authorization", "only_with"]

#: Paths that tell nothing of the data, for probes that cannot show a token.
OPEN: Final = frozenset({"/health", "/health/live", "/health/ready"})
#: What the paths of the page begin with, which tells nothing of the data either, and asks for the token.
PAGE: Final = "/dashboard"


def authorization(token: str) -> dict[str, str]:
    """Return the headers by which a request shows the token; none without one (RFC 6750)."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def only_with(token: str) -> Middleware:
    """Return the middleware that answers 401 to requests without the token; "" lets all through."""
    expected = authorization(token).get("Authorization", "").encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        is_open = request.path in OPEN or request.path == PAGE or request.path.startswith(f"{PAGE}/")
        if expected and not is_open and not hmac.compare_digest(given, expected):
            text = "show the token: Authorization: Bearer TOKEN"
            return error(HTTPStatus.UNAUTHORIZED, text, {"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return check
