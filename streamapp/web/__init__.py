"""Views over the worker: in, requests; out, tables, joins, the group, health and metrics, to who may see them.

Which paths there are, and what each takes and answers, is in the document that is made of them (``/openapi.json``,
`streamapp.web.document`); ``/``, ``/assignment/``, ``/performance/`` and ``/router/`` are Faust's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from aiohttp.web import RouteDef
from faust.types.web import Web
from faust.web.drivers import aiohttp

from streamapp.state.scans import Scans
from streamapp.topology import App
from streamapp.web import access, origins
from streamapp.web.answers import as_json, counted
from streamapp.web.document import OPERATIONS
from streamapp.web.group import GROUP, Group
from streamapp.web.live import LIVE, Live
from streamapp.web.metrics import METRICS, Metrics
from streamapp.web.panels import MakePanel
from streamapp.web.requests import APP
from streamapp.web.router import Router
from streamapp.web.row_pages import SCANS
from streamapp.web.snapshot import snapshot_of

__all__ = ["Metrics", "Router", "mount", "options"]

#: Instead of aiohttp's 8 kB: keys may be large, and take three bytes in a URL for one.
REQUEST_LINE_MAX_BYTES: Final = 4 << 20


def options(metrics: Metrics, token: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `faust.App` that go with these views.

    Args:
        metrics: that are shown.
        token: what requests have to show; "" = nothing.
        given: further options, which go before these; middlewares of theirs come after those that guard the views.
    """
    ours = {
        "Monitor": metrics.monitor,
        "Router": Router,
        "web_stats_enabled": True,
        "web_metrics_enabled": True,
        "web_router_enabled": True,
        "web_tables_enabled": False,
        "web_graph_enabled": False,
        **given,
    }
    server = dict(ours.get("web_application_options") or {})
    server["handler_args"] = {"max_line_size": REQUEST_LINE_MAX_BYTES, **(server.get("handler_args") or {})}
    ours_alone = origins.only_ours(any_name=bool(token), others=frozenset(given.get("web_cors_options") or ()))
    server["middlewares"] = [as_json, ours_alone, access.only_with(token), *server.get("middlewares", ())]
    return {**ours, "web_application_options": server}


def mount(app: App, web_server: Web, shown: Metrics, panels: Sequence[MakePanel]) -> None:
    """Add the views to the web server of an app; to be called by its `on_webserver_init`.

    Args:
        app: the app.
        web_server: its server.
        shown: the metrics that it shows.
        panels: what the page shows of the app besides; they may be added later.
    """
    server = cast(aiohttp.Web, web_server)
    whole = Group(app)
    listening = Live(lambda: snapshot_of(app, panels), whole.view)
    server.web_app[APP], server.web_app[METRICS], server.web_app[LIVE] = app, shown, listening
    server.web_app[GROUP], server.web_app[SCANS] = whole, Scans()
    server.web_app.on_shutdown.append(listening.close)
    routes = [RouteDef(one.method, one.path, counted(one.handler), {}) for one in OPERATIONS]
    for route in server.web_app.add_routes(routes):
        if server.cors_options:
            server.cors.add(route)
