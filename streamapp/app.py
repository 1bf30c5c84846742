"""The app, built from the settings of the environment."""

from __future__ import annotations

from streamapp.batching.app import App
from streamapp.settings import Settings
from streamapp.worker import Worker

__all__ = ["app"]

app = App(
    Settings.load(),
    origin="streamapp",
    autodiscover=["streamapp.agents"],
    Worker=Worker,
)
