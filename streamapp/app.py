"""The app, built from the settings of the environment."""

from __future__ import annotations

from typing import Any

from streamapp import web
from streamapp.settings import Settings
from streamapp.topology import App as JoiningApp
from streamapp.web.flow import flow
from streamapp.web.joins import joins
from streamapp.worker.process import Worker

__all__ = ["App", "app"]


class App(JoiningApp):
    """The app with its web views and its metrics.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        self.metrics = web.Metrics()
        self.metrics.add(lambda: flow(self))
        self.metrics.add(lambda: joins(self))
        super().__init__(
            settings,
            **{
                "origin": "streamapp",
                "autodiscover": ["streamapp.agents", "streamapp.pipelines.clicks.explained", "streamapp.cli"],
                "Worker": Worker,
                **web.options(self.metrics, settings.web_token),
                **options,
            },
        )

    def _discovery_modules(self) -> list[str]:
        # Faust (0.15.3) adds the whole package, and would import what only some commands need.
        return [module for module in super()._discovery_modules() if module != __package__]

    def on_webserver_init(self, server: Any) -> None:
        """Add our views; called by Faust when the web server is made."""
        web.mount(self, server)


app = App(Settings.load())
app.reset_command = "streamapp reset"
