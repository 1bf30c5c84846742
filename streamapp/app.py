"""The app of this repository, with the pipelines that ``STREAMAPP_PIPELINES`` names."""

from __future__ import annotations

from streamapp.application import App
from streamapp.pipelines.settings import AppSettings

__all__ = ["app", "settings"]

settings = AppSettings.load()
app = App(settings=settings, origin="streamapp", autodiscover=[*settings.modules, "streamapp.cli.faust_commands"])
app.reset_command = "streamapp reset"
