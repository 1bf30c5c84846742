"""The app: Faust's, with topics that are made and checked, joins, exactly-once, views, metrics and a token."""

from __future__ import annotations

import dataclasses
from functools import partial

from faust.types.web import Web

from streamapp import web
from streamapp.settings import Settings
from streamapp.topology import App as JoiningApp
from streamapp.web.families import flow, joins
from streamapp.web.panels import MakePanel
from streamapp.web.worker_families import lag, standing, work

__all__ = ["App"]


class App(JoiningApp):
    """A Faust app whose topics can be joined, with all that a worker of it needs.

    ``App()`` takes its settings from the environment (``STREAMAPP_BROKER`` …); ``faust -A MODULE worker`` runs it.

    Args:
        id: the app's id, which is its consumer group and a part of its topics' names, if ``STREAMAPP_ID`` is not set.
        settings: in place of those of the environment.
        options: further options of `faust.App`.
    """

    def __init__(self, id: str = "", *, settings: Settings | None = None, **options: object) -> None:  # noqa: A002
        if settings is None:
            settings = Settings.load(**({"id": id} if id else {}))
        elif id:
            settings = dataclasses.replace(settings, id=id)
        self.metrics = web.Metrics()
        #: What the page at ``/dashboard/`` shows of this app besides what it shows of each.
        self.panels: list[MakePanel] = []
        for families in (flow, joins, work, lag, standing):
            self.metrics.add(partial(families, self))
        super().__init__(settings, **web.options(self.metrics, settings.web_token, options))

    def on_webserver_init(self, server: Web) -> None:
        """Add our views; called by Faust when the web server is made."""
        web.mount(self, server, self.metrics, self.panels)
