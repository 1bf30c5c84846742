"""Access to the views: with a token, if there is one; without one they are for this machine alone."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX, Settings, SettingsError

__all__ = ["authorization", "check_reach", "only_with"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Paths that tell nothing of the data, for probes that cannot show a token.
OPEN: Final = frozenset({"/health", "/health/live", "/health/ready"})


def check_reach(settings: Settings, bind: str) -> None:
    """Make sure that the views are not shown to other machines without a token.

    Args:
        settings: which have the token.
        bind: address that the views listen on; Faust's command line may have changed it.

    Raises:
        SettingsError: if others can reach it, and there is no token.
    """
    if not settings.web_token and not is_loopback(bind):
        raise SettingsError(
            f"the web views at {bind} could be seen from other machines: set {PREFIX}WEB_TOKEN, the same for all "
            f"workers, or {PREFIX}WEB_BIND=127.0.0.1"
        )


def authorization(token: str) -> dict[str, str]:
    """Give the headers by which a request shows the token; none without one (RFC 6750)."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def only_with(token: str) -> Any:
    """Make the middleware that answers 401 to requests without the token; "" lets all through."""
    expected = authorization(token).get("Authorization", "").encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if expected and request.path not in OPEN and not hmac.compare_digest(shown, expected):
            return web.json_response(
                {"error": "show the token: Authorization: Bearer TOKEN"},
                status=HTTPStatus.UNAUTHORIZED,
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return check
