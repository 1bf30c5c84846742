"""Views over the worker: in, requests; out, tables, joins, health and metrics, to those who may see them (`access`).

| path | what |
|---|---|
| ``/`` ``/assignment/`` ``/performance/`` ``/router/`` | Faust's own |
| ``/table/`` ``/table/{name}/`` ``/table/{name}/{key}/`` ``…/?key=`` | `streamapp.web.tables`, in place of Faust's |
| ``/joins/`` ``/joins/{name}/`` ``/joins/{name}/{topic}/{partition}/{offset}/`` | `streamapp.web.explain` |
| ``/graph/`` | `streamapp.web.graph`, in place of Faust's |
| ``/health`` ``/health/ready`` ``/health/live`` | `streamapp.web.health` |
| ``/metrics`` | `streamapp.web.metrics` |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp.web import AppRunner
from faust.types.web import BlueprintT

from streamapp.web import access, explain, graph, health, metrics, tables
from streamapp.web.errors import as_json
from streamapp.web.metrics import Metrics
from streamapp.web.router import Router

__all__ = ["Metrics", "Router", "mount", "options"]

#: Bytes of a request's first line: keys may be large, and take three bytes in a URL for one.
LONGEST_URL: Final = 4 << 20

_BLUEPRINTS: Final[dict[str, BlueprintT]] = {
    "": health.blueprint,
    "/": metrics.blueprint,
    "/table": tables.blueprint,
    "/joins": explain.blueprint,
    "/graph": graph.blueprint,
}


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
    aiohttp = dict(ours.get("web_application_options") or {})
    aiohttp["middlewares"] = [as_json, access.only_with(token), *aiohttp.get("middlewares", ())]
    return {**ours, "web_application_options": aiohttp}


def mount(app: Any, server: Any = None) -> None:
    """Add the views to an app; to be called by its `on_webserver_init`.

    Args:
        app: the app.
        server: its web server, which takes keys of more than 8 kB then.
    """
    if server is not None:  # Faust (0.15.3) leaves the limit at aiohttp's, and does not let it be set
        server._runner = AppRunner(server.web_app, access_log=None, max_line_size=LONGEST_URL)  # noqa: SLF001
    for prefix, blueprint in _BLUEPRINTS.items():
        blueprint.register(app, url_prefix=prefix)
