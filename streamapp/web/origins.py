"""Origins: requests that web pages of others have a browser send, which is on this machine and may have more rights.

A browser sends them whatever page asks for it, and says who asks: in ``Sec-Fetch-Site`` and ``Origin``. A page whose
name was made to lead to this machine (DNS rebinding) passes for one of ours, but for the name in ``Host``. Programs
such as curl say neither, and are no browser that somebody could misuse.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from yarl import URL

from streamapp.web.answers import error
from streamapp.web.operations import Handler
from streamapp.web.requests import APP, shown

__all__ = ["only_ours"]

#: Methods that change nothing.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: What `Sec-Fetch-Site` says of our own page, and of an address that a user typed.
OUR_SITE: Final = frozenset({"same-origin", "none"})


def only_ours(*, any_name: bool, others: Collection[str] = ()) -> Middleware:
    """Return the middleware that refuses changes that pages of others ask for, and names that are not the worker's.

    Args:
        any_name: whether the worker may be reached by any name: where requests show a token, which no such page has.
        others: origins that may ask for changes, too; "*" = all may.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not any_name and not _is_own_name(request):
            name = shown(request.headers["Host"].encode(errors="surrogateescape"))
            text = f"{name} is no name of this worker: ask localhost or its IP address, or set STREAMAPP_WEB_HOST to it"
            return error(HTTPStatus.MISDIRECTED_REQUEST, text)
        if request.method not in SAFE and not _is_own_page(request) and not _is_among(request, others):
            return error(HTTPStatus.FORBIDDEN, "pages of other sites may change nothing here")
        return await handler(request)

    return check


def _is_own_name(request: web.Request) -> bool:
    """Return whether a request names this worker, or its address: no other name can be made to lead to an address."""
    if "Host" not in request.headers:
        return True
    try:
        name = URL(f"http://{request.headers['Host']}").host or ""
    except ValueError:
        return False
    name = name.rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name == request.app[APP].conf.canonical_url.host:
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_own_page(request: web.Request) -> bool:
    """Return whether no page, or one of this worker, asks."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in OUR_SITE
    # Browsers send that one over plain HTTP, too.
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("Host")


def _is_among(request: web.Request, origins: Collection[str]) -> bool:
    return "*" in origins or request.headers.get("Origin") in origins
