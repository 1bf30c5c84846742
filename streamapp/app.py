"""The app of this repository, with the pipelines that ``STREAMAPP_PIPELINES`` names."""

from __future__ import annotations

from streamapp.application import App
from streamapp.extras import MissingExtraError
from streamapp.pipelines.settings import AppSettings

__all__ = ["app", "settings"]

settings = AppSettings.load()
try:
    settings.require()
except MissingExtraError as exc:
    raise SystemExit(f"streamapp: {exc}") from None
app = App(settings=settings, origin="streamapp", autodiscover=[*settings.modules, "streamapp.cli.faust_commands"])
app.reset_command = "streamapp reset"
